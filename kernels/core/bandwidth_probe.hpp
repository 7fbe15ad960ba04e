// How fast this machine reads memory right now. Shared machines change by a factor of two within a minute, so
// every figure that is bound by memory stands beside a probe taken next to it.
#pragma once

#include <string_view>
#include <vector>

#include "kernels/core/buffer.hpp"

namespace trisect {

/// Reads one large buffer with the whole team (see pin_threads) in several ways; a machine's bandwidth is
/// what the best of them reaches. Rates are GB/s, GB = 1e9 bytes.
class BandwidthProbe {
 public:
  static constexpr std::size_t kDefaultBytes = std::size_t{1} << 30;
  struct Kernel {
    std::string_view name;
    double gbps = 0;
  };

  /// Commits the buffer from the threads that will read it, then measures every kernel. `bytes` should be
  /// many times the last-level cache. Throws Error(kEnvironment) when the memory cannot be had.
  explicit BandwidthProbe(std::size_t bytes = kDefaultBytes);

  /// The best of `passes` passes of the best kernel, some ten milliseconds each. What ran once, and took the
  /// stalls that came, is to be compared with one.
  double run(int passes = 2) const { return measure(best_, passes); }

  std::size_t bytes() const { return buffer_.bytes(); }
  const std::vector<Kernel>& kernels() const { return kernels_; }  ///< as measured by the constructor
  std::string_view best_kernel() const { return kernels_[best_].name; }

 private:
  double measure(std::size_t kernel, int passes) const;

  Buffer buffer_;
  std::vector<Kernel> kernels_;
  std::size_t best_ = 0;
};

}  // namespace trisect
