// vattention/memory_cycle: what the kernel takes for addresses, for memory behind them, and for taking it
// back.
#pragma once

#include <memory>
#include <utility>

#include "kernels/core/op.hpp"
#include "kernels/vattention/virtual_range.hpp"

namespace trisect::vattention {

/// Nanoseconds spent in each stage, added up over calls.
struct MemoryStages {
  double reclaim = 0, release = 0, reserve = 0, commit = 0;
  static constexpr std::pair<const char*, double MemoryStages::*> kFields[] = {
      {"reclaim", &MemoryStages::reclaim},
      {"release", &MemoryStages::release},
      {"reserve", &MemoryStages::reserve},
      {"commit", &MemoryStages::commit}};
};

/// One call decommits and releases what the call before it left, reserves kReserved bytes of addresses and
/// commits the first `kib` KiB of them, so that each stage is met as it is in use: pages that were written
/// are given back, and pages are got that someone else has had. The row's time is that of all four; the
/// stages have each alone.
///
/// The granule is 4 KiB (the system's page) or 2 MiB (`huge`), of which whole ones are committed; memory
/// comes by the first write to each page (`touch`) or in one call (`populate`).
struct MemoryCycle {
  static constexpr std::string_view name = "vattention/memory_cycle";
  static constexpr std::size_t kReserved = std::size_t{1} << 30;
  struct Problem {
    int kib;
  };
  static constexpr Field<Problem> fields[] = {{"kib", &Problem::kib}};
  struct Ranges;
  struct Args {
    std::shared_ptr<MemoryStages> stages;
    std::shared_ptr<Ranges> ranges;  ///< what the variants have committed
  };
  using Variant = VariantOf<Problem, Args>;

  static Args make(const Problem& problem, Arena& arena);
  static Cost cost(const Problem& problem);  ///< the kernel writes zeros
  /// By the kernel's account: exactly the granules asked for are there, and they read as zero. What was found
  /// is then overwritten, for the next call to take back.
  static Check check(const Problem& problem, const Args& got, const Args& want);
  static std::vector<Problem> odd_problems();
  static std::span<const Variant> variants();  ///< ref (touch), cpu_touch, cpu_populate, cpu_huge_touch, ...
};

}  // namespace trisect::vattention
