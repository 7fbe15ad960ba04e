// What core knows of devices with memory of their own. The CUDA one is in kernels/core/cuda; a build without
// it links no_cuda.cpp in its place.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace trisect {

enum class Device { kCpu, kCuda };
constexpr std::string_view name_of(Device device) { return device == Device::kCpu ? "cpu" : "cuda"; }

/// Whether this build has CUDA kernels.
inline constexpr bool kCudaBuild = TRISECT_CUDA_BUILD != 0;

/// "" or why no CUDA kernel can run here: no such build, no driver, no device. Asked of the driver once, so
/// that a device that faults later is a failure and never passes for a missing one.
const std::string& why_no_cuda();

/// What the harness and its files say of the current CUDA device.
struct CudaFacts {
  std::string name;             ///< "" without one
  bool emulated = false;        ///< by a program on the CPU: times mean nothing
  int sms = 0;                  ///< multiprocessors
  std::size_t cache_bytes = 0;  ///< of the second level, the last one
  double bandwidth_gbps = 0;    ///< what its data sheet would say, from attributes; 0 when unknown. A bound.
};
CudaFacts cuda_facts();

/// Memory that the host cannot touch. Calls are complete when they return; errors are thrown, faults of
/// kernels that ran before included.
class DeviceMemory {
 public:
  virtual ~DeviceMemory() = default;
  virtual void* allocate(std::size_t bytes) = 0;  ///< aligned to 256 bytes; of 0 bytes too
  virtual void release(void* memory) noexcept = 0;
  virtual void upload(void* to, const void* from, std::size_t bytes) = 0;
  virtual void download(void* to, const void* from, std::size_t bytes) = 0;
};

/// The memory of the current CUDA device. Throws Error(kEnvironment) with why_no_cuda().
DeviceMemory& cuda_memory();

}  // namespace trisect
