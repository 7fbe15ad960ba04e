// Top-k on the GPU: what its files share. Args are device memory; work is queued on cuda::current_stream().
#pragma once

#include "kernels/larosa/gelu_topk.hpp"

namespace trisect::larosa {

std::span<const Topk::Variant> topk_cuda_variants();
std::span<const GeluTopk::Variant> gelu_topk_cuda_variants();

/// Rows of at most 16384 entries, one launch.
void topk_cuda_radix(const Topk::Problem& problem, const Topk::Args& args);

/// What the libraries offer, in topk_cub.cu. All stable: ties go to the lower index.
void topk_thrust(const Topk::Problem& problem, const Topk::Args& args);
void topk_cub_sort(const Topk::Problem& problem, const Topk::Args& args);
void topk_cub_segmented_sort(const Topk::Problem& problem, const Topk::Args& args);

/// cub::DeviceTopK, in topk_cub_device.cu, where the CCCL that was compiled against has it.
Availability topk_cub_device_available(const Topk::Problem& problem);
void topk_cub_device(const Topk::Problem& problem, const Topk::Args& args);

}  // namespace trisect::larosa
