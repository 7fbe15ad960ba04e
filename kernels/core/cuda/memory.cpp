#include "kernels/core/cuda/memory.hpp"

#include "kernels/core/cuda/error.hpp"
#include "kernels/core/cuda/stream.hpp"
#include "kernels/core/device.hpp"

namespace trisect {
namespace cuda {

void* allocate_on_device(std::size_t bytes) {
  void* memory = nullptr;
  const cudaError_t status = cudaMalloc(&memory, bytes);
  if (status != cudaSuccess) no_throw(cudaGetLastError());  // said here, and no fault of the next launch
  check(status, "cudaMalloc(&memory, bytes)");
  return memory;
}

void* allocate_pinned(std::size_t bytes) {
  void* memory = nullptr;
  TRISECT_CUDA_CALL(cudaMallocHost(&memory, bytes));
  return memory;
}

void release_on_device(void* memory) noexcept { no_throw(cudaFree(memory)); }
void release_pinned(void* memory) noexcept { no_throw(cudaFreeHost(memory)); }

namespace {

/// Copies wait for the current stream, so they see what was queued there and a fault of it.
class CudaMemory final : public DeviceMemory {
 public:
  void* allocate(std::size_t bytes) override { return allocate_on_device(bytes == 0 ? 1 : bytes); }
  void release(void* memory) noexcept override { release_on_device(memory); }
  void upload(void* to, const void* from, std::size_t bytes) override {
    copy(to, from, bytes, cudaMemcpyHostToDevice);
  }
  void download(void* to, const void* from, std::size_t bytes) override {
    copy(to, from, bytes, cudaMemcpyDeviceToHost);
  }

 private:
  static void copy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
    Stream& stream = current_stream();
    if (bytes > 0) TRISECT_CUDA_CALL(cudaMemcpyAsync(to, from, bytes, kind, stream.get()));
    stream.wait();
  }
};

}  // namespace
}  // namespace cuda

DeviceMemory& cuda_memory() {
  if (!why_no_cuda().empty()) environment_error("{}", why_no_cuda());
  static cuda::CudaMemory memory;
  return memory;
}

}  // namespace trisect
