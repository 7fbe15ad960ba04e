#include "microbench/harness/plan.hpp"

#include <algorithm>
#include <utility>

#include "kernels/core/device.hpp"

namespace trisect::microbench {

std::int64_t iterations(const Cost& cost, bool is_reference, int milliseconds, Device device,
                        double seconds) {
  constexpr double kCallSeconds = 5e-6, kMost = 500;
  const auto [bytes_per_second, flops_per_second] =
      device == Device::kCpu ? std::pair(20e9, 200e9) : std::pair(1.5e12, 100e12);
  if (is_reference || (device == Device::kCuda && cuda_facts().emulated)) return 1;
  const double transfer = (cost.bytes_read + cost.bytes_written) / bytes_per_second;
  const double call = kCallSeconds + std::max({transfer, cost.flops / flops_per_second, seconds});
  const double wanted = std::min(kMost, milliseconds / 1e3 / call);
  std::int64_t rounded = 1;
  for (std::int64_t power = 1; static_cast<double>(power) <= wanted; power *= 10) {
    for (const std::int64_t digit : {1, 2, 5}) {
      if (static_cast<double>(digit * power) <= wanted) rounded = digit * power;
    }
  }
  return rounded;
}

Copies plan_copies(double bytes_read, std::size_t input_bytes, std::size_t weight_bytes,
                   std::size_t cache_bytes, std::size_t memory_limit) {
  constexpr std::size_t kFewHot = 8, kManyHot = 64, kHotBytes = 512 << 10, kLeast = 3, kMostCold = 1000;
  if (weight_bytes == 0) {
    const std::size_t each = std::max<std::size_t>(1, input_bytes);
    const std::size_t wanted = std::clamp(kHotBytes / each, kFewHot, kManyHot);
    return {std::clamp<std::size_t>(cache_bytes / 8 / each, 1, wanted), false};
  }
  const double touched = std::clamp(bytes_read, 1.0, static_cast<double>(weight_bytes));
  const double needed = std::max<double>(kLeast, 3 * static_cast<double>(cache_bytes) / touched + 1);
  const auto affordable = static_cast<double>(memory_limit / (weight_bytes + input_bytes));
  if (needed > std::min<double>(kMostCold, affordable)) return {kLeast, false};
  return {static_cast<std::size_t>(needed), true};
}

std::string benchmark_name(std::string_view base, std::int64_t iterations, int repetitions) {
  return fmt::format("{}/iterations:{}/repeats:{}/manual_time", base, iterations, repetitions);
}

}  // namespace trisect::microbench
