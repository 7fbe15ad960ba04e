#include "microbench/harness/filter.hpp"

#include "kernels/core/error.hpp"

namespace trisect::microbench {

Filter::Filter(const std::string& expression)
    : regex_(nullptr, [](regex_t* regex) {
        regfree(regex);
        delete regex;
      }) {
  negative_ = expression.starts_with('-');
  const char* pattern = expression.c_str() + (negative_ ? 1 : 0);
  if (expression.empty() || expression == "all") pattern = ".";
  auto compiled = std::make_unique<regex_t>();
  if (const int error = regcomp(compiled.get(), pattern, REG_EXTENDED | REG_NOSUB); error != 0) {
    char why[128];
    regerror(error, compiled.get(), why, sizeof why);
    usage_error("--benchmark_filter: '{}' is not a regular expression: {}", expression, why);
  }
  regex_.reset(compiled.release());
}

bool Filter::matches(const std::string& name) const {
  return (regexec(regex_.get(), name.c_str(), 0, nullptr, 0) == 0) != negative_;
}

}  // namespace trisect::microbench
