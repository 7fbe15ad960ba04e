#include "kernels/core/cuda/memory.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "kernels/core/cuda/error.hpp"
#include "kernels/core/cuda/stream.hpp"
#include "kernels/core/device.hpp"

namespace trisect {
namespace cuda {

void* allocate_on_device(std::size_t bytes) {
  void* memory = nullptr;
  const cudaError_t status = cudaMalloc(&memory, bytes);
  if (status != cudaSuccess) no_throw(cudaGetLastError());  // said here, and no fault of the next launch
  if (status != cudaErrorMemoryAllocation) {
    check(status, "cudaMalloc");
  } else {
    std::size_t free = 0, total = 0;
    TRISECT_CUDA_CALL(cudaMemGetInfo(&free, &total));
    const auto megabytes = [](std::size_t count) { return static_cast<double>(count) / 1e6; };
    check(status, fmt::format("cudaMalloc of {:.1f} MB with {:.1f} of {:.1f} MB free", megabytes(bytes),
                              megabytes(free), megabytes(total))
                      .c_str());
  }
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

/// Copies from memory that the driver cannot read directly, in halves of pinned memory that take turns: while
/// one is copied to the device, the other is filled.
class Staging {
 public:
  static constexpr std::size_t kHalf = std::size_t{8} << 20;

  void upload(void* to, const void* from, std::size_t bytes, Stream& stream) {
    std::size_t turn = 0;
    for (std::size_t at = 0; at < bytes; at += kHalf, turn ^= 1) {
      const std::size_t part = std::min(kHalf, bytes - at);
      copied_[turn].wait();  // at first there is nothing to wait for
      std::memcpy(halves_[turn].data(), static_cast<const std::byte*>(from) + at, part);
      TRISECT_CUDA_CALL(cudaMemcpyAsync(static_cast<std::byte*>(to) + at, halves_[turn].data(), part,
                                        cudaMemcpyHostToDevice, stream.get()));
      copied_[turn].record(stream);
    }
    stream.wait();
  }

 private:
  std::array<PinnedBuffer, 2> halves_{PinnedBuffer(kHalf), PinnedBuffer(kHalf)};
  std::array<Event, 2> copied_;
};

/// Copies wait for the current stream, so they see what was queued there and a fault of it.
class CudaMemory final : public DeviceMemory {
 public:
  void* allocate(std::size_t bytes) override { return allocate_on_device(bytes == 0 ? 1 : bytes); }
  void release(void* memory) noexcept override { release_on_device(memory); }
  void upload(void* to, const void* from, std::size_t bytes) override {
    if (bytes <= Staging::kHalf) return copy(to, from, bytes, cudaMemcpyHostToDevice);
    thread_local Staging staging;
    staging.upload(to, from, bytes, current_stream());
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
