#include "kernels/core/cuda/device.hpp"
#include "kernels/core/cuda/error.hpp"
#include "kernels/core/cuda/graph.hpp"
#include "kernels/core/cuda/memory.hpp"
#include "kernels/core/cuda/stream.hpp"
#include "microbench/harness/accelerator.hpp"

namespace trisect::microbench {
namespace {

/// Keeps one SM busy for so many of its clock's ticks, and says how many they were in the end.
__global__ void __launch_bounds__(32) harness_spin_kernel(long long ticks, long long* spent) {
  const long long start = clock64();
  long long now = start;
  while (now - start < ticks) now = clock64();
  if (threadIdx.x == 0) *spent = now - start;
}

class CudaAccelerator final : public Accelerator {
 public:
  DeviceMemory& memory() override { return cuda_memory(); }
  bool emulated() const override { return cuda::device_info().emulated; }

  double time(How how, const std::function<void()>& queue) override {
    if (how == How::kStream) return time([&] { queue(); });
    const cuda::Graph graph(queue);
    return time([&] { graph.launch(stream()); });
  }

  std::optional<std::size_t> launches(const std::function<void()>& queue) override {
    try {
      return cuda::Graph(queue).nodes();
    } catch (const cuda::CudaError&) {
      return std::nullopt;
    }
  }

  double clock_share() override {
    constexpr long long kTicks = 200000;  // a tenth of a millisecond
    if (emulated() || cuda::device_info().clock_khz == 0) return 0;
    auto* const spent = spent_.as<long long>();
    const double seconds = time([&] { harness_spin_kernel<<<1, 32, 0, stream().get()>>>(kTicks, spent); });
    long long ticks = 0;
    memory().download(&ticks, spent, sizeof ticks);
    return static_cast<double>(ticks) / seconds / (1e3 * cuda::device_info().clock_khz);
  }

 private:
  static cuda::Stream& stream() { return cuda::current_stream(); }

  template <class Queue>
  double time(const Queue& queue) {
    start_.record(stream());
    queue();
    stop_.record(stream());
    stop_.wait();
    stream().wait();  // for the fault that an event does not tell of
    return cuda::seconds_between(start_, stop_);
  }

  cuda::Event start_, stop_;
  cuda::DeviceBuffer spent_{sizeof(long long)};
};

}  // namespace

Accelerator& cuda_accelerator() {
  if (!why_no_cuda().empty()) environment_error("{}", why_no_cuda());
  // Never destroyed: at exit the driver may be gone before.
  static auto* const device = new CudaAccelerator;
  return *device;
}

}  // namespace trisect::microbench
