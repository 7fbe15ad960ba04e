// A device with memory and a timeline of its own, as the harness sees it: what is queued on it is timed by
// its own events, not by the host's clock.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "kernels/core/device.hpp"

namespace trisect::microbench {

class Accelerator {
 public:
  /// kGraph: recorded once and replayed as a whole, so that the host's launches cost nothing between short
  /// kernels. kStream: queued call by call, for what cannot be recorded; its gaps are part of the time.
  enum class How { kGraph, kStream };

  virtual ~Accelerator() = default;
  virtual DeviceMemory& memory() = 0;
  virtual bool emulated() const = 0;  ///< times mean nothing
  /// Seconds between an event before and an event behind what `queue` queues. Throws CudaError when that
  /// faults, or cannot be recorded.
  virtual double time(How how, const std::function<void()>& queue) = 0;
  /// Kernels, copies and fills that `queue` queues; nothing when it cannot be recorded.
  virtual std::optional<std::size_t> launches(const std::function<void()>& queue) = 0;
  /// The clock that a kernel sees now, over the highest that the device states; 0 when unknown.
  virtual double clock_share() = 0;
};

/// The current CUDA device. Throws Error(kEnvironment) with why_no_cuda().
Accelerator& cuda_accelerator();

std::string_view name_of(Accelerator::How how);

struct DeviceTiming {
  double seconds = 0;
  double clock_share = 0;  ///< observed right behind; 0 when unknown
  int discarded = 0;       ///< timings before this one that a slow clock had spoiled
  bool throttled = false;  ///< and it spoiled this one too
};

/// Below this share of its highest clock a device is hot, or not awake yet.
inline constexpr double kSlowClock = 0.75;
inline constexpr int kMostDiscards = 5;

/// Times until the clock was fast enough, at most 1 + kMostDiscards times, with growing pauses by
/// `pause(milliseconds)`. `how` becomes kStream when the work cannot be recorded.
DeviceTiming time_unthrottled(Accelerator& device, Accelerator::How& how, const std::function<void()>& queue,
                              const std::function<void(int)>& pause);

}  // namespace trisect::microbench
