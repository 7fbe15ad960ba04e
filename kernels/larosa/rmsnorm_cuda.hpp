// larosa/rmsnorm on the GPU.
#pragma once

#include "kernels/larosa/rmsnorm.hpp"

namespace trisect::larosa {

std::span<const Rmsnorm::Variant> rmsnorm_cuda_variants();

}  // namespace trisect::larosa
