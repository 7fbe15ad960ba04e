// y = x w (+ bias), or y += : one token through a matrix, the product of decoding. Bound by reading w once.
#pragma once

#include "kernels/core/op.hpp"

namespace trisect::dense {

struct Gemv {
  static constexpr std::string_view name = "dense/gemv";

  struct Problem {
    int in = 0, out = 0;
    Dtype dtype = Dtype::kBf16;  ///< of the weights: f32, bf16 or f16
  };
  static constexpr Field<Problem> fields[] = {{"in", &Problem::in}, {"out", &Problem::out}};

  struct Args {
    View x;                   ///< f32 [1][in]
    View w;                   ///< [in][out], input-major; rows may be `stride` apart (oneDNN's variants too)
    View bias;                ///< f32 [1][out], or empty
    View y;                   ///< f32 [1][out]; must not overlap the others
    bool accumulate = false;  ///< y += instead of y =
    std::shared_ptr<void> prepared;  ///< packed weights, for the variant that wants them
    View next = {};                  ///< weights that the next product will read, or empty: a hint
  };
  using Variant = VariantOf<Problem, Args>;

  static Cost cost(const Problem& problem);
  static Args make(const Problem& problem, Arena& arena);
  static Check check(const Problem& problem, const Args& got, const Args& want);
  static std::vector<Problem> odd_problems();
  /// ref, onednn_plain (the layout above), onednn_packed and cpu_panels (layouts of their own, in which no
  /// row can be skipped; a dense engine's weights are in panels.hpp's), cpu_fma, cpu_bf16 (rows: the engine
  /// where weights are not in panels). On the GPU: cublas, cuda_rows (row_product.cuh). The CPU's divide the
  /// sum among threads: their number changes rounding, by less than 1e-6 in relative L2.
  static std::span<const Variant> variants();
};

/// Bound on the relative L2 error of a product with weights of this type: bf16 products round the activations
/// too, and so do those of cuBLAS with f16.
double product_tolerance(Dtype weights);

}  // namespace trisect::dense
