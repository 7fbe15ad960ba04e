// The rows of the GPU in the tables of rotate and sparse_gemv; both are the row product of dense.
#pragma once

#include "kernels/larosa/rotate.hpp"
#include "kernels/larosa/sparse_gemv.hpp"

namespace trisect::larosa {

std::span<const Rotate::Variant> rotate_cuda_variants();
std::span<const SparseGemv::Variant> sparse_gemv_cuda_variants();

}  // namespace trisect::larosa
