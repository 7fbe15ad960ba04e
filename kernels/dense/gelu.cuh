// gelu_new on the GPU: see dense/gelu.
#pragma once

#include <cuda_runtime.h>

namespace trisect::dense {

__device__ inline float gelu(float v) {
  constexpr float kLinear = -1.5957691216f, kCubic = kLinear * 0.044715f;  // -2 sqrt(2 / pi)
  return v / (1 + expf(fminf(v * fmaf(v * v, kCubic, kLinear), 88.0f)));
}

}  // namespace trisect::dense
