// Sparse to dense in one launch: each block owns 2048 columns of a row, keeps them in shared memory, puts the
// values of its columns there, and writes them once. The indices ascend, so a binary search tells a block
// where its own begin and end; nothing is cleared first, and every column is written exactly once.
//
// Launch: 256 threads, grid (columns / 2048, rows). Shared memory: 8 KB.
#include <thrust/fill.h>
#include <thrust/scatter.h>
#include <thrust/system/cuda/execution_policy.h>

#include "kernels/core/cuda/error.hpp"
#include "kernels/core/cuda/stream.hpp"
#include "kernels/larosa/scatter_cuda.hpp"

namespace trisect::larosa {
namespace {

constexpr int kThreads = 256, kColumns = 2048;

/// How many of the ascending indices are below `bound`.
__device__ int count_below(const std::int32_t* index, int k, int bound) {
  int low = 0, high = k;
  while (low < high) {
    const int middle = (low + high) / 2;
    if (index[middle] < bound) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

__global__ void __launch_bounds__(kThreads)
    scatter_kernel(const std::int32_t* index, std::int64_t index_stride, const float* value,
                   std::int64_t value_stride, float* y, std::int64_t y_stride, int n, int k) {
  __shared__ float columns[kColumns];
  const int first = static_cast<int>(blockIdx.x) * kColumns, last = min(n, first + kColumns);
  index += blockIdx.y * index_stride;
  value += blockIdx.y * value_stride;
  y += blockIdx.y * y_stride;
  for (int c = threadIdx.x; c < kColumns; c += kThreads) columns[c] = 0;
  __syncthreads();
  const int end = count_below(index, k, last);
  for (int j = count_below(index, k, first) + static_cast<int>(threadIdx.x); j < end; j += kThreads) {
    columns[index[j] - first] = value[j];
  }
  __syncthreads();
  for (int c = first + static_cast<int>(threadIdx.x); c < last; c += kThreads) y[c] = columns[c - first];
}

}  // namespace

void scatter_cuda(const Scatter::Problem& p, const Scatter::Args& a) {
  if (p.rows == 0 || p.n == 0) return;
  const dim3 grid(static_cast<unsigned>((p.n + kColumns - 1) / kColumns), static_cast<unsigned>(p.rows));
  scatter_kernel<<<grid, kThreads, 0, cuda::current_stream().get()>>>(
      a.index.row<std::int32_t>(), a.index.stride, a.value.row<float>(), a.value.stride, a.y.row<float>(),
      a.y.stride, p.n, static_cast<int>(a.index.cols));
  TRISECT_CUDA_LAUNCHED(scatter_kernel);
}

namespace {

void scatter_thrust(const Scatter::Problem& p, const Scatter::Args& a) {
  const auto policy = thrust::cuda::par_nosync.on(cuda::current_stream().get());
  for (int r = 0; r < p.rows; ++r) {
    float* const y = a.y.row<float>(r);
    const float* const value = a.value.row<float>(r);
    thrust::fill(policy, y, y + p.n, 0.0f);
    thrust::scatter(policy, value, value + a.value.cols, a.index.row<std::int32_t>(r), y);
  }
}

}  // namespace

std::span<const Scatter::Variant> scatter_cuda_variants() {
  static const Scatter::Variant table[] = {
      {.name = "thrust_scatter", .device = Device::kCuda, .available = on_cuda, .run = scatter_thrust},
      {.name = "cuda_scatter", .device = Device::kCuda, .available = on_cuda, .run = scatter_cuda},
  };
  return table;
}

}  // namespace trisect::larosa
