#include "microbench/harness/filter.hpp"

#include "kernels/core/error.hpp"

namespace trisect::microbench {

Filter::Filter(const std::string& expression) {
  negative_ = expression.starts_with('-');
  const bool everything = expression.empty() || expression == "all";
  const std::string pattern = everything ? std::string(1, '.') : expression.substr(negative_ ? 1 : 0);
  try {
    regex_ = std::regex(pattern, std::regex::extended);
  } catch (const std::regex_error& error) {
    usage_error("--benchmark_filter: '{}' is not a regular expression: {}", expression, error.what());
  }
}

bool Filter::matches(const std::string& name) const { return std::regex_search(name, regex_) != negative_; }

}  // namespace trisect::microbench
