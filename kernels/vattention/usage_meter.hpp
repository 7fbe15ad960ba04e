// Memory over time: peaks and averages, each amount counted for as long as it lasted.
#pragma once

#include "kernels/vattention/kv_cache.hpp"

namespace trisect::vattention {

class UsageMeter {
 public:
  /// The usage from `seconds` (any clock, never backwards) until the next sample.
  void sample(double seconds, const KvUsage& usage);

  struct Summary {
    KvUsage peak;            ///< of each amount on its own; usage.peak is the highest one reported
    KvUsage average;         ///< over time
    double utilisation = 1;  ///< used of committed bytes, both averaged over time
    std::size_t peak_fragmentation = 0;
    double average_fragmentation = 0;
  };
  /// Up to the last sample; that one lasts no time.
  Summary summary() const;

 private:
  struct Sums {
    double reserved = 0, committed = 0, used = 0, parked = 0, claimed = 0, fragmentation = 0;
  };

  bool any_ = false;
  double start_ = 0, last_s_ = 0;
  KvUsage last_, peak_;
  std::size_t peak_fragmentation_ = 0;
  Sums sums_;
};

}  // namespace trisect::vattention
