#include "microbench/harness/accelerator.hpp"

#include "kernels/core/error.hpp"

namespace trisect::microbench {

std::string_view name_of(Accelerator::How how) {
  return how == Accelerator::How::kGraph ? "graph" : "stream";
}

DeviceTiming time_unthrottled(Accelerator& device, Accelerator::How& how, const std::function<void()>& queue,
                              const std::function<void(int)>& pause) {
  constexpr int kFirstPause = 10;
  if (device.emulated()) how = Accelerator::How::kStream;  // nothing to gain
  if (how == Accelerator::How::kGraph) {
    try {
      device.time(how, queue);
    } catch (const Error&) {
      how = Accelerator::How::kStream;  // a fault shows there again
    }
  }
  DeviceTiming timing;
  for (;; ++timing.discarded) {
    timing.seconds = device.time(how, queue);
    timing.clock_share = device.clock_share();
    timing.throttled = timing.clock_share > 0 && timing.clock_share < kSlowClock;
    if (!timing.throttled || timing.discarded == kMostDiscards) return timing;
    pause(kFirstPause << timing.discarded);
  }
}

}  // namespace trisect::microbench
