// The current device, from attributes that every toolkit since CUDA 11 has.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace trisect::cuda {

struct DeviceInfo {
  std::string name;
  int major = 0, minor = 0;  ///< compute capability
  int sms = 0;               ///< multiprocessors
  int registers_per_sm = 0;  ///< of 32 bits
  int threads_per_sm = 0;
  std::size_t shared_per_sm = 0;     ///< bytes
  std::size_t shared_per_block = 0;  ///< bytes, with opt-in
  std::size_t l2_bytes = 0;
  std::size_t memory_bytes = 0;
  int clock_khz = 0;            ///< highest of the SMs; 0 when unknown
  int memory_clock_khz = 0;     ///< 0 when unknown
  int memory_bus_bits = 0;      ///< 0 when unknown
  int driver = 0, runtime = 0;  ///< as 13000
  bool emulated = false;        ///< by a program on the CPU: times mean nothing

  /// Two transfers a clock over the whole bus, which is what data sheets state; 0 when unknown. A bound, no
  /// measurement.
  double bandwidth_gbps() const { return 2e-9 * 1e3 * memory_clock_khz * (memory_bus_bits / 8.0); }
};

/// Throws Error(kEnvironment) where there is no device. Read once for the device that is current at the first
/// call.
const DeviceInfo& device_info();

/// Of the current device's memory, by the driver's account: whoever uses the device has taken the rest.
std::size_t free_bytes();

}  // namespace trisect::cuda
