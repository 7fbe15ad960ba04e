// --benchmark_filter, as Google Benchmark understands it: the library is handed only what is to run.
#pragma once

#include <regex.h>

#include <memory>
#include <string>

namespace trisect::microbench {

class Filter {
 public:
  /// An extended regular expression, found anywhere in a name; "" and "all" match everything, a leading '-'
  /// turns the rest round. Throws Error(kUsage) when it is not one.
  explicit Filter(const std::string& expression);
  bool matches(const std::string& name) const;

 private:
  std::unique_ptr<regex_t, void (*)(regex_t*)> regex_;
  bool negative_ = false;
};

}  // namespace trisect::microbench
