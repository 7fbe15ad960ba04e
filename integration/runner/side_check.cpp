#include "integration/runner/side_check.hpp"

#include <algorithm>

namespace trisect::runner {
namespace {

constexpr std::size_t kMostTokens = 6, kDecoded = 2;

View view_of(const CheckedLogits& logits) {
  const auto count = static_cast<std::int64_t>(logits.values.size());
  return View::of(logits.values.data(), logits.rows, count / std::max(1, logits.rows));
}

}  // namespace

CheckedTokens tokens_to_check(std::size_t count) {
  const std::size_t tokens = std::min(count, kMostTokens);
  return {tokens, std::max<std::size_t>(tokens, kDecoded + 1) - kDecoded};
}

SideCheck judge(const CheckedLogits& got, const CheckedLogits& plain, Dtype weights) {
  return {got.tokens, check_close(view_of(got), view_of(plain), weights == Dtype::kF32 ? 1e-4 : 2e-2)};
}

}  // namespace trisect::runner
