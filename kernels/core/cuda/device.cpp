#include "kernels/core/cuda/device.hpp"

#include "kernels/core/cuda/error.hpp"
#include "kernels/core/device.hpp"

namespace trisect {
namespace cuda {
namespace {

/// Zero for an attribute that this driver does not know.
int attribute(cudaDeviceAttr which, int device) {
  int value = 0;
  if (cudaDeviceGetAttribute(&value, which, device) == cudaSuccess) return value;
  static_cast<void>(cudaGetLastError());
  return 0;
}

DeviceInfo read() {
  if (!why_no_cuda().empty()) environment_error("{}", why_no_cuda());
  int device = 0;
  TRISECT_CUDA_CALL(cudaGetDevice(&device));
  cudaDeviceProp properties{};
  TRISECT_CUDA_CALL(cudaGetDeviceProperties(&properties, device));
  DeviceInfo info;
  info.name = properties.name;
  info.major = attribute(cudaDevAttrComputeCapabilityMajor, device);
  info.minor = attribute(cudaDevAttrComputeCapabilityMinor, device);
  info.sms = attribute(cudaDevAttrMultiProcessorCount, device);
  info.registers_per_sm = attribute(cudaDevAttrMaxRegistersPerMultiprocessor, device);
  info.threads_per_sm = attribute(cudaDevAttrMaxThreadsPerMultiProcessor, device);
  info.shared_per_sm =
      static_cast<std::size_t>(attribute(cudaDevAttrMaxSharedMemoryPerMultiprocessor, device));
  info.shared_per_block =
      static_cast<std::size_t>(attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin, device));
  info.l2_bytes = static_cast<std::size_t>(attribute(cudaDevAttrL2CacheSize, device));
  info.memory_bytes = properties.totalGlobalMem;
  info.clock_khz = attribute(cudaDevAttrClockRate, device);
  info.memory_clock_khz = attribute(cudaDevAttrMemoryClockRate, device);
  info.memory_bus_bits = attribute(cudaDevAttrGlobalMemoryBusWidth, device);
  TRISECT_CUDA_CALL(cudaDriverGetVersion(&info.driver));
  TRISECT_CUDA_CALL(cudaRuntimeGetVersion(&info.runtime));
  info.emulated = info.name.find("mulated") != std::string::npos;
  return info;
}

std::string ask_for_devices() {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status != cudaSuccess) {
    static_cast<void>(cudaGetLastError());
    return fmt::format("no CUDA device: {} ({})", cudaGetErrorString(status), cudaGetErrorName(status));
  }
  return count > 0 ? "" : "no CUDA device: the driver lists none";
}

}  // namespace

std::size_t free_bytes() {
  std::size_t free = 0, total = 0;
  TRISECT_CUDA_CALL(cudaMemGetInfo(&free, &total));
  return free;
}

const DeviceInfo& device_info() {
  static const DeviceInfo info = read();
  return info;
}

}  // namespace cuda

const std::string& why_no_cuda() {
  static const std::string reason = cuda::ask_for_devices();
  return reason;
}

CudaFacts cuda_facts() {
  if (!why_no_cuda().empty()) return {};
  const cuda::DeviceInfo& device = cuda::device_info();
  return {.name = device.name,
          .emulated = device.emulated,
          .sms = device.sms,
          .cache_bytes = device.l2_bytes,
          .bandwidth_gbps = device.bandwidth_gbps()};
}

}  // namespace trisect
