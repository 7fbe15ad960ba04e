#include "kernels/vattention/device_granules.hpp"

#include <algorithm>

namespace trisect::vattention {
namespace {

void expected(const DeviceGranules::Problem&, const DeviceGranules::Args& args) {
  std::fill_n(args.found.row<std::int32_t>(0), args.found.cols, 0);
  std::fill_n(args.found.row<std::int32_t>(1), args.found.cols, DeviceGranules::kPattern);
}

}  // namespace

DeviceGranules::Args DeviceGranules::make(const Problem& problem, Arena& arena) {
  return {arena.output(Dtype::kI32, 2, std::int64_t{2} * problem.count), std::make_shared<GranuleStages>(),
          nullptr};
}

Cost DeviceGranules::cost(const Problem& problem) {
  return {.bytes_written = 2.0 * problem.count * (std::size_t{2} << 20)};
}

Check DeviceGranules::check(const Problem&, const Args& got, const Args& want) {
  return check_equal(got.found, want.found);
}

std::vector<DeviceGranules::Problem> DeviceGranules::odd_problems() { return {{1}, {2}, {7}}; }

std::span<const DeviceGranules::Variant> DeviceGranules::variants() {
  static const Variant cpu[] = {{.name = "ref", .run = expected}};
  if constexpr (kCudaBuild) {
    static const auto all = joined<Variant>(cpu, device_granules_cuda_variants());
    return all;
  } else {
    return cpu;
  }
}

}  // namespace trisect::vattention
