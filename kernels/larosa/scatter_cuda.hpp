// Scatter on the GPU.
#pragma once

#include "kernels/larosa/scatter.hpp"

namespace trisect::larosa {

std::span<const Scatter::Variant> scatter_cuda_variants();

/// Device memory; one launch on cuda::current_stream().
void scatter_cuda(const Scatter::Problem& problem, const Scatter::Args& args);

}  // namespace trisect::larosa
