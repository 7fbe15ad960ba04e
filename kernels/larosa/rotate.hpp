// y = x Q: activations into the basis of a layer's principal directions.
// LaRoSA, arXiv 2507.01299, section 3: Q holds the eigenvectors of the second moments of the layer's input.
#pragma once

#include "kernels/core/op.hpp"

namespace trisect::larosa {

struct Rotate {
  static constexpr std::string_view name = "larosa/rotate";

  struct Problem {
    int rows = 1, n = 0;
    Dtype dtype = Dtype::kBf16;  ///< of Q: f32, bf16 or f16
  };
  static constexpr Field<Problem> fields[] = {{"rows", &Problem::rows}, {"n", &Problem::n}};

  struct Args {
    View x;  ///< f32 [rows][n]
    View
        q;  ///< [n][n]; the caller answers for orthogonality. Rotating back is the same op with the transpose
    View y;  ///< f32 [rows][n], overwritten; must not overlap x
  };
  using Variant = VariantOf<Problem, Args>;

  static Cost cost(const Problem& problem);
  static Args make(const Problem& problem, Arena& arena);
  static Check check(const Problem& problem, const Args& got, const Args& want);
  static std::vector<Problem> odd_problems();
  /// ref, onednn (for many rows), cpu_fma and cpu_bf16 (the row kernels of dense/gemv, row by row). On the
  /// GPU: cublas, cuda_rows (up to eight rows share one pass over Q).
  static std::span<const Variant> variants();
};

}  // namespace trisect::larosa
