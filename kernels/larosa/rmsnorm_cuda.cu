// Root mean square norm of a row by one block, which reads it twice from the cache.
//
// Launch: 256 threads a row; 32 bytes of shared memory.
#include <cub/block/block_reduce.cuh>

#include "kernels/core/cuda/error.hpp"
#include "kernels/core/cuda/stream.hpp"
#include "kernels/larosa/rmsnorm_cuda.hpp"

namespace trisect::larosa {
namespace {

constexpr int kThreads = 256;

__global__ void __launch_bounds__(kThreads)
    rmsnorm_kernel(const float* x, std::int64_t x_stride, float* y, std::int64_t y_stride, int n, float eps) {
  using Reduce = cub::BlockReduce<float, kThreads>;
  __shared__ typename Reduce::TempStorage storage;
  __shared__ float scale;
  x += blockIdx.x * x_stride;
  y += blockIdx.x * y_stride;
  float squares = 0;
  for (int i = threadIdx.x; i < n; i += kThreads) squares = fmaf(x[i], x[i], squares);
  const float sum = Reduce(storage).Sum(squares);
  if (threadIdx.x == 0) scale = rsqrtf(sum / static_cast<float>(n) + eps);
  __syncthreads();
  for (int i = threadIdx.x; i < n; i += kThreads) y[i] = x[i] * scale;
}

void rmsnorm_cuda(const Rmsnorm::Problem& p, const Rmsnorm::Args& a) {
  if (p.rows == 0) return;
  rmsnorm_kernel<<<p.rows, kThreads, 0, cuda::current_stream().get()>>>(
      a.x.row<float>(), a.x.stride, a.y.row<float>(), a.y.stride, p.n, a.eps);
  TRISECT_CUDA_LAUNCHED(rmsnorm_kernel);
}

}  // namespace

std::span<const Rmsnorm::Variant> rmsnorm_cuda_variants() {
  static const Rmsnorm::Variant table[] = {
      {.name = "cuda_block", .device = Device::kCuda, .available = on_cuda, .run = rmsnorm_cuda}};
  return table;
}

}  // namespace trisect::larosa
