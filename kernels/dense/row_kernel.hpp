// The product of a vector with chosen rows of an input-major matrix: y = sum over j of value[j] *
// w[index[j]][:]. With every row it is the dense product of decoding, with the kept rows LaRoSA's sparse one;
// both stream whole rows of weights from memory once, so time follows the number of rows. Several vectors,
// the tokens of a batch, share the rows and their one reading.
#pragma once

#include <cstdint>

#include "kernels/core/op.hpp"

namespace trisect::dense {

struct RowProduct {
  View w;                               ///< [in][out], f32, bf16 or f16, rows `stride` apart
  const std::int32_t* index = nullptr;  ///< `count` rows in ascending order; null means 0, 1, ..., count - 1
  const float* value = nullptr;  ///< [tokens][count] factors; rows with a factor of zero must still be finite
  int count = 0;
  const float* bias = nullptr;  ///< `out` values added once, or null
  float* y = nullptr;           ///< [tokens][out] results; must not overlap any operand
  bool accumulate = false;      ///< y += instead of y =
  View next = {};  ///< what is read after this, or empty: threads that are done early begin with it
  int tokens = 1;
  std::int64_t value_stride = 0, y_stride = 0;  ///< from one token to the next
};

/// The obvious loop in double, rounded to f32 once.
void row_product_ref(const RowProduct& product);

/// f32 multiply-add over Highway's widest vectors.
void row_product_fma(const RowProduct& product);

/// bf16 weights only, all of them finite: factors rounded to bf16, f32 accumulation by vdpbf16ps, which counts
/// denormals as zero. Only where row_product_bf16_runs().
void row_product_bf16(const RowProduct& product);
Availability row_product_bf16_runs(Dtype weights);

/// The fastest of these for weights of this type on this machine.
using RowProductFn = void(const RowProduct&);
RowProductFn* best_row_product(Dtype weights);

}  // namespace trisect::dense
