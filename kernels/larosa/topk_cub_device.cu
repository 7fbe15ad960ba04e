// Top-k by cub::DeviceTopK, which CCCL has since 3.2. It promises neither an order nor which of equal keys it takes, so a
// key is the magnitude with the complement of the index below it: no two are equal, and ties go to the lower index. The
// chosen indices are then sorted. One row at a time.
#include <cub/version.cuh>

#include "kernels/larosa/topk_cuda.hpp"

#if __has_include(<cub/device/device_topk.cuh>)

#include <thrust/iterator/counting_iterator.h>
#include <thrust/iterator/transform_iterator.h>

#include <algorithm>
#include <cub/device/device_radix_sort.cuh>
#include <cub/device/device_topk.cuh>
#include <cuda/std/execution>
#include <cuda/stream_ref>

#include "kernels/core/cuda/error.hpp"
#include "kernels/core/cuda/stream.hpp"
#include "kernels/larosa/select.cuh"

namespace trisect::larosa {
namespace {

constexpr int kThreads = 256;

struct Key {
  const float* x;
  __device__ std::uint64_t operator()(std::uint32_t i) const {
    return std::uint64_t{magnitude_of(x[i])} << 32 | static_cast<std::uint32_t>(~i);
  }
};

__global__ void __launch_bounds__(kThreads)
    topk_indices_kernel(const std::uint64_t* keys, int k, std::int32_t* index) {
  const int i = static_cast<int>(blockIdx.x * kThreads + threadIdx.x);
  if (i < k) index[i] = static_cast<std::int32_t>(~static_cast<std::uint32_t>(keys[i]));
}

__global__ void __launch_bounds__(kThreads)
    topk_gather_kernel(const float* x, const std::int32_t* index, int k, float* value) {
  const int i = static_cast<int>(blockIdx.x * kThreads + threadIdx.x);
  if (i < k) value[i] = x[index[i]];
}

}  // namespace

Availability topk_cub_device_available(const Topk::Problem& problem) { return on_cuda(problem); }

void topk_cub_device(const Topk::Problem& p, const Topk::Args& a) {
  constexpr int kIndexBits = 31;
  constexpr std::size_t kAlign = 256;
  const int k = kept(p.n, p.sparsity_permille);
  if (k == 0) return;
  cuda::Stream& stream = cuda::current_stream();
  const auto environment = ::cuda::std::execution::env{
      ::cuda::stream_ref{stream.get()},
      ::cuda::execution::require(::cuda::execution::determinism::not_guaranteed,
                                 ::cuda::execution::output_ordering::unsorted)};
  const auto select = [&](void* memory, std::size_t& bytes, const float* x, std::uint64_t* keys) {
    const auto all = thrust::make_transform_iterator(thrust::make_counting_iterator(std::uint32_t{0}), Key{x});
    TRISECT_CUDA_CALL(cub::DeviceTopK::MaxKeys(memory, bytes, all, keys, p.n, k, environment));
  };
  const auto sort = [&](void* memory, std::size_t& bytes, const std::int32_t* from, std::int32_t* to) {
    TRISECT_CUDA_CALL(cub::DeviceRadixSort::SortKeys(memory, bytes, from, to, k, 0, kIndexBits, stream.get()));
  };
  std::size_t select_bytes = 0, sort_bytes = 0;
  select(nullptr, select_bytes, nullptr, nullptr);
  sort(nullptr, sort_bytes, nullptr, nullptr);
  const auto aligned = [](std::size_t bytes) { return (bytes + kAlign - 1) / kAlign * kAlign; };
  const std::size_t keys_bytes = aligned(8 * static_cast<std::size_t>(k));
  const std::size_t index_bytes = aligned(4 * static_cast<std::size_t>(k));
  std::byte* const memory = stream.scratch(keys_bytes + index_bytes + std::max(select_bytes, sort_bytes));
  auto* const keys = reinterpret_cast<std::uint64_t*>(memory);
  auto* const index = reinterpret_cast<std::int32_t*>(memory + keys_bytes);
  std::byte* const library = memory + keys_bytes + index_bytes;
  const int blocks = (k + kThreads - 1) / kThreads;
  for (int r = 0; r < p.rows; ++r) {
    select(library, select_bytes, a.x.row<float>(r), keys);
    topk_indices_kernel<<<blocks, kThreads, 0, stream.get()>>>(keys, k, index);
    TRISECT_CUDA_LAUNCHED(topk_indices_kernel);
    sort(library, sort_bytes, index, a.index.row<std::int32_t>(r));
    topk_gather_kernel<<<blocks, kThreads, 0, stream.get()>>>(a.x.row<float>(r), a.index.row<std::int32_t>(r), k,
                                                              a.value.row<float>(r));
    TRISECT_CUDA_LAUNCHED(topk_gather_kernel);
  }
}

}  // namespace trisect::larosa

#else

namespace trisect::larosa {

Availability topk_cub_device_available(const Topk::Problem&) {
  return {fmt::format("needs CCCL 3.2 or later, this is CUB {}.{}; see CONTRIBUTING.md", CUB_MAJOR_VERSION,
                      CUB_MINOR_VERSION)};
}

void topk_cub_device(const Topk::Problem& problem, const Topk::Args&) {
  environment_error("{}", topk_cub_device_available(problem).why_not);
}

}  // namespace trisect::larosa

#endif
