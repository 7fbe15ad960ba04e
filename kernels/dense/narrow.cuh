// Rounding f32 to the types that are stored, on the GPU; row_product.cuh has the way back.
#pragma once

#include <cuda_fp16.h>

#include "kernels/core/dtype.hpp"

namespace trisect::dense {

__device__ inline void narrow(float from, float& to) { to = from; }
/// As to_f16() and to_bf16() do, NaN included.
__device__ inline void narrow(float from, f16& to) {
  const auto sign = static_cast<std::uint16_t>(__float_as_uint(from) >> 16 & 0x8000u);
  to.bits = isnan(from) ? sign | 0x7e00u : __half_as_ushort(__float2half_rn(from));
}
__device__ inline void narrow(float from, bf16& to) {
  const std::uint32_t bits = __float_as_uint(from);
  const bool is_nan = (bits & 0x7fffffffu) > 0x7f800000u;
  to.bits =
      static_cast<std::uint16_t>(is_nan ? bits >> 16 | 0x40u : (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

}  // namespace trisect::dense
