// Scatter on the GPU.
#pragma once

#include "kernels/larosa/scatter.hpp"

namespace trisect::larosa {

std::span<const Scatter::Variant> scatter_cuda_variants();

}  // namespace trisect::larosa
