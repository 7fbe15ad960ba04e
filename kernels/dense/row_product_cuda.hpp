// The row product on the GPU; see row_kernel.hpp for the CPU's, and row_product.cuh for how it works.
#pragma once

#include "kernels/dense/gemv.hpp"

namespace trisect::dense {

std::span<const Gemv::Variant> gemv_cuda_variants();

/// Device memory, all of it. y[r][:] = sum over j of value[r][j] * w[index[r][j]][:] (+ bias).
struct CudaRowProduct {
  View w;                   ///< [in][out], f32, bf16 or f16; rows may be `stride` apart
  View index;               ///< i32 [rows][count]; empty means 0, 1, ..., count - 1
  View value;               ///< f32 [rows][count]
  View bias;                ///< f32 [1][out], or empty
  View y;                   ///< f32 [rows][out]; must not overlap any operand
  bool accumulate = false;  ///< y += instead of y =
};

/// Queued on cuda::current_stream(); one launch for up to eight rows without indices, or any number with
/// them. Weights are read 16 bytes at a time where base, stride and width allow it, else element by element.
/// The same result in every run on the same device.
void row_product_cuda(const CudaRowProduct& product);
/// Blocks add to y in whatever order they finish: results differ in the last bits from run to run. Two
/// launches.
void row_product_cuda_atomic(const CudaRowProduct& product);
/// cuBLAS; without indices only. f16 and bf16 weights take the values rounded to their type.
void row_product_cublas(const CudaRowProduct& product);

}  // namespace trisect::dense
