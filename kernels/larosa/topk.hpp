// Top-k by magnitude: which entries of a rotated activation are kept.
// LaRoSA, arXiv 2507.01299, section 3: exactly k entries per token, no threshold learnt in advance. The released code
// keeps every tie of the k-th value; here ties go to the lower index, so that the work is known in advance.
#pragma once

#include "kernels/core/op.hpp"

namespace trisect::larosa {

/// k = n - floor(n * permille / 1000), in integers: floating point gives 1023 for 2560 at 60 %.
/// Throws Error(kUsage) unless 0 <= permille <= 1000.
int kept(int n, int sparsity_permille);

struct Topk {
  static constexpr std::string_view name = "larosa/topk";

  struct Problem {
    int rows = 1, n = 0, sparsity_permille = 0;
  };
  static constexpr Field<Problem> fields[] = {
      {"rows", &Problem::rows}, {"n", &Problem::n}, {"sparsity_permille", &Problem::sparsity_permille}};

  struct Args {
    View x;      ///< f32 [rows][n]
    View index;  ///< i32 [rows][k], ascending
    View value;  ///< f32 [rows][k], x at those indices, bit for bit
  };
  using Variant = VariantOf<Problem, Args>;

  /// Each row on its own. The order of magnitudes is that of |x|, with every NaN equal and above infinity and
  /// both zeros equal; among equals the lower index is kept.
  static Cost cost(const Problem& problem);
  static Args make(const Problem& problem, Arena& arena);
  static Check check(const Problem& problem, const Args& got, const Args& want);
  static std::vector<Problem> odd_problems();
  /// ref (a full sort), cpu_partial_sort, cpu_nth_element, cpu_bisect (a threshold search over the bits of |x|:
  /// its upper halves in SIMD, the few candidates left by selection, then compression).
  static std::span<const Variant> variants();
};

}  // namespace trisect::larosa
