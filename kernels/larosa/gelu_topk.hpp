// Which entries of GELU(x) are kept: what stands before fc2, in one pass.
#pragma once

#include "kernels/larosa/topk.hpp"

namespace trisect::larosa {

/// larosa/topk of dense/gelu of x. Variants round GELU differently, by 1e-6, so that of entries that nearly tie they
/// may keep others: results are compared by their magnitudes in order, and by what they say GELU is at their indices.
struct GeluTopk {
  static constexpr std::string_view name = "larosa/gelu_topk";

  using Problem = Topk::Problem;
  static constexpr Field<Problem> fields[] = {
      {"rows", &Problem::rows}, {"n", &Problem::n}, {"sparsity_permille", &Problem::sparsity_permille}};
  using Args = Topk::Args;  ///< x before GELU, not changed; values after it
  using Variant = VariantOf<Problem, Args>;

  static Cost cost(const Problem& problem);
  static Args make(const Problem& problem, Arena& arena);
  static Check check(const Problem& problem, const Args& got, const Args& want);
  static std::vector<Problem> odd_problems();
  /// ref and cpu (one op after the other); for rows of at most 16384 entries cuda_two (two launches, GELU's result in
  /// scratch memory) and cuda_fused (one).
  static std::span<const Variant> variants();
};

}  // namespace trisect::larosa
