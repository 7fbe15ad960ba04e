// dense/gemm on the GPU: cuBLAS, and for few rows the row product.
#pragma once

#include "kernels/dense/gemm.hpp"

namespace trisect::dense {

std::span<const VariantOf<Gemm::Problem, Gemm::Args>> gemm_cuda_variants();

}  // namespace trisect::dense
