// Whether a side of compare computes what it should, asked before it is timed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kernels/core/check.hpp"
#include "kernels/core/dtype.hpp"

namespace trisect::runner {

/// Logits of a prompt's first tokens, [rows][vocabulary]: of the block that is prefilled its last, then one
/// for each decode step.
struct CheckedLogits {
  int tokens = 0, rows = 0;
  std::vector<float> values;
};

struct SideCheck {
  int tokens = 0;
  Check check;
};

/// How many of a prompt's `count` tokens are looked at, and how many of these are prefilled.
struct CheckedTokens {
  std::size_t tokens, prefilled;
};
CheckedTokens tokens_to_check(std::size_t count);

/// `got` beside those of the plain kernels for the same weights, which sum in double; with LaRoSA nothing is
/// dropped. Relative error over all logits: 1e-4 in f32, 2e-2 in bf16 and f16.
SideCheck judge(const CheckedLogits& got, const CheckedLogits& plain, Dtype weights);

}  // namespace trisect::runner
