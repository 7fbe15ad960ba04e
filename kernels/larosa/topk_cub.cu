// Top-k from what the libraries offer: sort all magnitudes with their indices, keep the first k, sort those
// indices, and fetch the values. Many launches and several passes over memory; what cuda_radix is measured
// against.
//
// cub_sort          cub::DeviceRadixSort, stable, one row at a time
// cub_segmented_sort cub::DeviceSegmentedRadixSort, stable, all rows at once
// thrust            thrust::stable_sort_by_key and thrust::sort, one row at a time
#include <thrust/gather.h>
#include <thrust/iterator/counting_iterator.h>
#include <thrust/iterator/transform_iterator.h>
#include <thrust/sequence.h>
#include <thrust/sort.h>
#include <thrust/system/cuda/execution_policy.h>

#include <cub/device/device_radix_sort.cuh>
#include <cub/device/device_segmented_radix_sort.cuh>

#include "kernels/core/cuda/error.hpp"
#include "kernels/core/cuda/stream.hpp"
#include "kernels/larosa/select.cuh"
#include "kernels/larosa/topk_cuda.hpp"

namespace trisect::larosa {
namespace {

constexpr int kKeyBits = 31, kThreads = 256;

__global__ void __launch_bounds__(kThreads)
    topk_keys_kernel(const float* x, std::int64_t stride, int n, std::uint32_t* keys, std::int32_t* index) {
  const int i = static_cast<int>(blockIdx.x * kThreads + threadIdx.x);
  if (i >= n) return;
  const std::size_t at = std::size_t{blockIdx.y} * static_cast<std::size_t>(n) + static_cast<std::size_t>(i);
  keys[at] = magnitude_of(x[blockIdx.y * stride + i]);
  index[at] = i;
}

__global__ void __launch_bounds__(kThreads)
    topk_values_kernel(const float* x, std::int64_t x_stride, const std::int32_t* index,
                       std::int64_t index_stride, float* value, std::int64_t value_stride, int k) {
  const int i = static_cast<int>(blockIdx.x * kThreads + threadIdx.x);
  if (i < k)
    value[blockIdx.y * value_stride + i] = x[blockIdx.y * x_stride + index[blockIdx.y * index_stride + i]];
}

dim3 grid(int columns, int rows) {
  return {static_cast<unsigned>((columns + kThreads - 1) / kThreads), static_cast<unsigned>(rows)};
}

void fetch_values(const Topk::Args& a, int rows, int k, cudaStream_t stream) {
  topk_values_kernel<<<grid(k, rows), kThreads, 0, stream>>>(a.x.row<float>(), a.x.stride,
                                                             a.index.row<std::int32_t>(), a.index.stride,
                                                             a.value.row<float>(), a.value.stride, k);
  TRISECT_CUDA_LAUNCHED(topk_values_kernel);
}

/// Where a row starts, or its kept entries end.
struct Offset {
  int each, more;
  __host__ __device__ int operator()(int row) const { return row * each + more; }
};

/// Keys and indices of some rows, before and after sorting, and the library's own memory behind them.
struct Work {
  std::uint32_t *keys, *sorted_keys;
  std::int32_t *index, *sorted_index;
  void* library;
  std::size_t library_bytes;

  Work(cuda::Stream& stream, std::size_t entries, std::size_t bytes_for_library)
      : library_bytes(bytes_for_library) {
    constexpr std::size_t kAlign = 256;
    const std::size_t each = (4 * entries + kAlign - 1) / kAlign * kAlign;
    std::byte* const memory = stream.scratch(4 * each + library_bytes);
    keys = reinterpret_cast<std::uint32_t*>(memory);
    sorted_keys = reinterpret_cast<std::uint32_t*>(memory + each);
    index = reinterpret_cast<std::int32_t*>(memory + 2 * each);
    sorted_index = reinterpret_cast<std::int32_t*>(memory + 3 * each);
    library = memory + 4 * each;
  }
};

}  // namespace

void topk_cub_sort(const Topk::Problem& p, const Topk::Args& a) {
  const int k = kept(p.n, p.sparsity_permille);
  if (k == 0) return;
  cuda::Stream& stream = cuda::current_stream();
  const auto sort_pairs = [&](const Work& w, void* memory, std::size_t& bytes) {
    TRISECT_CUDA_CALL(cub::DeviceRadixSort::SortPairsDescending(
        memory, bytes, w.keys, w.sorted_keys, w.index, w.sorted_index, p.n, 0, kKeyBits, stream.get()));
  };
  const auto sort_kept = [&](const Work& w, void* memory, std::size_t& bytes, std::int32_t* index) {
    TRISECT_CUDA_CALL(
        cub::DeviceRadixSort::SortKeys(memory, bytes, w.sorted_index, index, k, 0, kKeyBits, stream.get()));
  };
  std::size_t bytes = 0, more = 0;
  const Work nothing(stream, 0, 0);
  sort_pairs(nothing, nullptr, bytes);
  sort_kept(nothing, nullptr, more, nullptr);
  Work w(stream, static_cast<std::size_t>(p.n), std::max(bytes, more));
  for (int r = 0; r < p.rows; ++r) {
    topk_keys_kernel<<<grid(p.n, 1), kThreads, 0, stream.get()>>>(a.x.row<float>(r), a.x.stride, p.n, w.keys,
                                                                  w.index);
    TRISECT_CUDA_LAUNCHED(topk_keys_kernel);
    sort_pairs(w, w.library, w.library_bytes);
    sort_kept(w, w.library, w.library_bytes, a.index.row<std::int32_t>(r));
  }
  fetch_values(a, p.rows, k, stream.get());
}

void topk_cub_segmented_sort(const Topk::Problem& p, const Topk::Args& a) {
  const int k = kept(p.n, p.sparsity_permille);
  if (k == 0) return;
  if (!a.index.contiguous()) usage_error("{}: cub_segmented_sort writes contiguous rows only", Topk::name);
  cuda::Stream& stream = cuda::current_stream();
  const auto rows_begin = thrust::make_transform_iterator(thrust::make_counting_iterator(0), Offset{p.n, 0});
  const auto rows_end = thrust::make_transform_iterator(thrust::make_counting_iterator(0), Offset{p.n, k});
  const auto sort_pairs = [&](const Work& w, void* memory, std::size_t& bytes) {
    TRISECT_CUDA_CALL(cub::DeviceSegmentedRadixSort::SortPairsDescending(
        memory, bytes, w.keys, w.sorted_keys, w.index, w.sorted_index, p.rows * p.n, p.rows, rows_begin,
        rows_begin + 1, 0, kKeyBits, stream.get()));
  };
  // The first k of every row; sorted in place of the unsorted indices, where rows are still n apart.
  const auto sort_kept = [&](const Work& w, void* memory, std::size_t& bytes) {
    TRISECT_CUDA_CALL(cub::DeviceSegmentedRadixSort::SortKeys(memory, bytes, w.sorted_index, w.index,
                                                              p.rows * p.n, p.rows, rows_begin, rows_end, 0,
                                                              kKeyBits, stream.get()));
  };
  std::size_t bytes = 0, more = 0;
  const Work nothing(stream, 0, 0);
  sort_pairs(nothing, nullptr, bytes);
  sort_kept(nothing, nullptr, more);
  Work w(stream, static_cast<std::size_t>(p.rows) * static_cast<std::size_t>(p.n), std::max(bytes, more));
  topk_keys_kernel<<<grid(p.n, p.rows), kThreads, 0, stream.get()>>>(a.x.row<float>(), a.x.stride, p.n,
                                                                     w.keys, w.index);
  TRISECT_CUDA_LAUNCHED(topk_keys_kernel);
  sort_pairs(w, w.library, w.library_bytes);
  sort_kept(w, w.library, w.library_bytes);
  const std::size_t row_bytes = 4 * static_cast<std::size_t>(k);
  TRISECT_CUDA_CALL(cudaMemcpy2DAsync(a.index.data, row_bytes, w.index, 4 * static_cast<std::size_t>(p.n),
                                      row_bytes, static_cast<std::size_t>(p.rows), cudaMemcpyDeviceToDevice,
                                      stream.get()));
  fetch_values(a, p.rows, k, stream.get());
}

void topk_thrust(const Topk::Problem& p, const Topk::Args& a) {
  const int k = kept(p.n, p.sparsity_permille);
  if (k == 0) return;
  cuda::Stream& stream = cuda::current_stream();
  // Thrust allocates what it needs itself, and waits: it cannot be captured.
  const auto policy = thrust::cuda::par.on(stream.get());
  const Work w(stream, static_cast<std::size_t>(p.n), 0);
  for (int r = 0; r < p.rows; ++r) {
    topk_keys_kernel<<<grid(p.n, 1), kThreads, 0, stream.get()>>>(a.x.row<float>(r), a.x.stride, p.n, w.keys,
                                                                  w.index);
    TRISECT_CUDA_LAUNCHED(topk_keys_kernel);
    thrust::stable_sort_by_key(policy, w.keys, w.keys + p.n, w.index, thrust::greater<std::uint32_t>());
    thrust::sort(policy, w.index, w.index + k);
    std::int32_t* const index = a.index.row<std::int32_t>(r);
    TRISECT_CUDA_CALL(cudaMemcpyAsync(index, w.index, 4 * static_cast<std::size_t>(k),
                                      cudaMemcpyDeviceToDevice, stream.get()));
    thrust::gather(policy, index, index + k, a.x.row<float>(r), a.value.row<float>(r));
  }
}

}  // namespace trisect::larosa
