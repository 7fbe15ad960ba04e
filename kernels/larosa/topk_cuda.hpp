// Top-k on the GPU: what its files share. Args are device memory; work is queued on cuda::current_stream().
#pragma once

#include "kernels/larosa/topk.hpp"

#if __has_include(<cub/device/device_topk.cuh>)
#define TRISECT_HAS_CUB_TOPK 1
#else
#define TRISECT_HAS_CUB_TOPK 0
#endif

namespace trisect::larosa {

std::span<const Topk::Variant> topk_cuda_variants();

/// Rows of at most 16384 entries, one launch.
void topk_cuda_radix(const Topk::Problem& problem, const Topk::Args& args);

/// What the libraries offer, in topk_cub.cu. All stable or made so by unique keys: ties go to the lower
/// index.
void topk_thrust(const Topk::Problem& problem, const Topk::Args& args);
void topk_cub_sort(const Topk::Problem& problem, const Topk::Args& args);
void topk_cub_segmented_sort(const Topk::Problem& problem, const Topk::Args& args);
void topk_cub_device_topk(const Topk::Problem& problem, const Topk::Args& args);

}  // namespace trisect::larosa
