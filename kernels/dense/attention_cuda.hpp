// dense/attention on the GPU.
#pragma once

#include "kernels/dense/attention.hpp"

namespace trisect::dense {

std::span<const VariantOf<Attention::Problem, Attention::Args>> attention_cuda_variants();

}  // namespace trisect::dense
