// vattention/device_granules: what the driver of a GPU takes for addresses, for memory, and to put one behind
// the other.
#pragma once

#include <memory>
#include <utility>

#include "kernels/core/op.hpp"

namespace trisect::vattention {

/// Nanoseconds spent in each call of the driver, added up; `zero` is wiping, and waiting for it.
struct GranuleStages {
  double reserve = 0, create = 0, map = 0, set_access = 0, zero = 0, unmap = 0, release = 0, free = 0;
  static constexpr std::pair<const char*, double GranuleStages::*> kFields[] = {
      {"reserve", &GranuleStages::reserve}, {"create", &GranuleStages::create},
      {"map", &GranuleStages::map},         {"set_access", &GranuleStages::set_access},
      {"zero", &GranuleStages::zero},       {"unmap", &GranuleStages::unmap},
      {"release", &GranuleStages::release}, {"free", &GranuleStages::free}};
};

/// One call reserves kReserved bytes of addresses; creates and maps `count` granules, each of the least size
/// that the driver can do, 2 MiB on the devices of today; makes them accessible with one call; wipes them,
/// notes what they hold, overwrites them, notes it again; and gives everything back. The row's time is that
/// of all, by the host's clock: the calls are the host's. The stages have each alone.
///
/// `cuda` is what a KV cache pays for memory from the system, `cuda_pooled` for memory that it has kept: its
/// granules are created once, beforehand.
struct DeviceGranules {
  static constexpr std::string_view name = "vattention/device_granules";
  static constexpr bool kTimedByHost = true;
  static constexpr std::size_t kReserved = std::size_t{1} << 30;
  static constexpr int kMost = 512;  ///< granules of 2 MiB in kReserved
  static constexpr std::int32_t kPattern = 0x5a5a5a5a;
  struct Problem {
    int count;
  };
  static constexpr Field<Problem> fields[] = {{"count", &Problem::count}};
  struct Args {
    /// i32 [2][2 * count]: the first and the last word of each granule as they were found, and as they were
    /// left: zeros and kPattern.
    View found;
    std::shared_ptr<GranuleStages> stages;
    std::shared_ptr<void> prepared;
  };
  using Variant = VariantOf<Problem, Args>;

  static Args make(const Problem& problem, Arena& arena);
  static Cost cost(const Problem& problem);  ///< granules of 2 MiB, written twice
  static Check check(const Problem& problem, const Args& got, const Args& want);
  static std::vector<Problem> odd_problems();
  static std::span<const Variant> variants();  ///< ref (writes what must be found), cuda, cuda_pooled
};

std::span<const DeviceGranules::Variant> device_granules_cuda_variants();

}  // namespace trisect::vattention
