// y = sum over kept entries of value[i] * w[index[i]][:] (+ bias): the product that reads only the kept rows.
// In a batch each token has kept others.
#pragma once

#include "kernels/core/op.hpp"

namespace trisect::larosa {

struct SparseGemv {
  static constexpr std::string_view name = "larosa/sparse_gemv";

  struct Problem {
    int in = 0, out = 0, sparsity_permille = 0;
    Dtype dtype = Dtype::kBf16;  ///< of the weights: f32, bf16 or f16
    int rows = 1;                ///< tokens
  };
  static constexpr Field<Problem> fields[] = {{"rows", &Problem::rows},
                                              {"in", &Problem::in},
                                              {"out", &Problem::out},
                                              {"sparsity_permille", &Problem::sparsity_permille}};

  struct Args {
    View index;               ///< i32 [rows][k], each row ascending, within [0, in)
    View value;               ///< f32 [rows][k]
    View w;                   ///< [in][out], input-major; rows may be `stride` apart
    View bias;                ///< f32 [1][out], or empty
    View y;                   ///< f32 [rows][out]; must not overlap the others
    bool accumulate = false;  ///< y += instead of y =
  };
  using Variant = VariantOf<Problem, Args>;

  /// Rows of weights are counted once for all tokens, as many as any of them is expected to keep.
  static Cost cost(const Problem& problem);
  static Args make(const Problem& problem, Arena& arena);
  static Check check(const Problem& problem, const Args& got, const Args& want);
  static std::vector<Problem> odd_problems();
  /// ref, cpu_fma, cpu_bf16: the row kernels of dense/gemv, token by token. cpu_union_fma and cpu_union_bf16,
  /// for two rows and more: each row of weights that any token keeps is read once, and counts as zero for
  /// tokens that dropped it (so weights must be finite). On the GPU: cuda_rowskip_atomic, whose last bits
  /// differ from run to run, and cuda_rowskip, where they do not (row_product.cuh); tokens side by side, each
  /// reading its own rows.
  static std::span<const Variant> variants();
};

}  // namespace trisect::larosa
