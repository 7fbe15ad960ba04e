// A copy that streams: every thread moves 16 bytes at a time, the grid as large as the device holds at once.
//
// Launch: 256 threads, at most eight blocks an SM. No shared memory.
#include <algorithm>

#include "kernels/core/cuda/device.hpp"
#include "kernels/core/cuda/error.hpp"
#include "kernels/core/cuda/stream.hpp"
#include "kernels/dense/copy.hpp"

namespace trisect::dense {
namespace {

constexpr int kThreads = 256, kBlocksPerSm = 8;

__global__ void __launch_bounds__(kThreads) copy_kernel(const float* x, float* y, int n) {
  const int first = static_cast<int>(blockIdx.x * kThreads + threadIdx.x);
  const int step = static_cast<int>(gridDim.x) * kThreads;
  for (int i = first; i < n / 4; i += step)
    reinterpret_cast<float4*>(y)[i] = reinterpret_cast<const float4*>(x)[i];
  const int rest = n / 4 * 4 + first;
  if (rest < n) y[rest] = x[rest];
}

void copy_cuda(const Copy::Problem& p, const Copy::Args& a) {
  const int blocks =
      std::clamp((p.n / 4 + kThreads - 1) / kThreads, 1, kBlocksPerSm * cuda::device_info().sms);
  copy_kernel<<<blocks, kThreads, 0, cuda::current_stream().get()>>>(a.x.row<float>(), a.y.row<float>(), p.n);
  TRISECT_CUDA_LAUNCHED(copy_kernel);
}

void copy_memcpy(const Copy::Problem&, const Copy::Args& a) {
  TRISECT_CUDA_CALL(cudaMemcpyAsync(a.y.data, a.x.data, a.x.bytes(), cudaMemcpyDeviceToDevice,
                                    cuda::current_stream().get()));
}

}  // namespace

std::span<const Copy::Variant> copy_cuda_variants() {
  static const Copy::Variant table[] = {
      {.name = "cuda_memcpy", .device = Device::kCuda, .available = on_cuda, .run = copy_memcpy},
      {.name = "cuda_copy", .device = Device::kCuda, .available = on_cuda, .run = copy_cuda},
  };
  return table;
}

}  // namespace trisect::dense
