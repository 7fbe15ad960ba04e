#include "kernels/vattention/memory_cycle.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>

namespace trisect::vattention {

/// Variants of one granule share a range; the last one written to is judged.
struct MemoryCycle::Ranges {
  std::unique_ptr<VirtualRange> small, huge;
  VirtualRange* last = nullptr;
};

namespace {

using Problem = MemoryCycle::Problem;
using Args = MemoryCycle::Args;

std::size_t bytes_asked(const Problem& problem) { return static_cast<std::size_t>(problem.kib) << 10; }

template <class Stage>
void timed(double& nanoseconds, Stage stage) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  stage();
  nanoseconds += std::chrono::duration<double, std::nano>(Clock::now() - start).count();
}

template <Granule kGranule, Commit kHow>
void cycle(const Problem& problem, const Args& args) {
  std::unique_ptr<VirtualRange>& range = kGranule == Granule::kHuge ? args.ranges->huge : args.ranges->small;
  if (range) {
    timed(args.stages->reclaim, [&] { range->decommit(0, 0, range->stride()); });
    timed(args.stages->release, [&] { range.reset(); });
  }
  timed(args.stages->reserve, [&] {
    range =
        std::make_unique<VirtualRange>(1, std::max(MemoryCycle::kReserved, bytes_asked(problem)), kGranule);
  });
  timed(args.stages->commit, [&] { range->commit(0, 0, bytes_asked(problem), kHow); });
  args.ranges->last = range.get();
}

/// Of its own address: what judges must be another function than what is judged.
void cycle_ref(const Problem& problem, const Args& args) {
  cycle<Granule::kSmall, Commit::kTouch>(problem, args);
}

Availability huge_pages(const Problem&) { return has_huge_pages(); }

}  // namespace

Args MemoryCycle::make(const Problem&, Arena&) {
  return {std::make_shared<MemoryStages>(), std::make_shared<Ranges>()};
}

Cost MemoryCycle::cost(const Problem& problem) {
  return {.bytes_written = static_cast<double>(bytes_asked(problem))};
}

Check MemoryCycle::check(const Problem& problem, const Args& got, const Args&) {
  const VirtualRange* range = got.ranges->last;
  if (range == nullptr) return {CheckStatus::kFail, 0, 0, "no memory was committed"};
  const std::size_t want = range->round_up(bytes_asked(problem)), resident = range->resident();
  if (resident != want) {
    return {CheckStatus::kFail, 0, 0,
            fmt::format("{} bytes are committed by the kernel's account instead of {}", resident, want)};
  }
  std::byte* first = range->segment(0);
  const std::byte* written = std::find_if(first, first + want, [](std::byte b) { return b != std::byte{0}; });
  const auto at = static_cast<std::size_t>(written - first);
  std::memset(first, 0xa5, want);
  if (at != want) return {CheckStatus::kFail, 0, 0, fmt::format("byte {} holds an earlier owner's data", at)};
  return {CheckStatus::kPass, 0, 0, ""};
}

std::vector<Problem> MemoryCycle::odd_problems() { return {{1}, {4}, {5}, {67}, {2048}, {2050}}; }

std::span<const MemoryCycle::Variant> MemoryCycle::variants() {
  static const Variant table[] = {
      {.name = "ref", .run = cycle_ref},
      {.name = "cpu_touch", .run = cycle<Granule::kSmall, Commit::kTouch>},
      {.name = "cpu_populate", .run = cycle<Granule::kSmall, Commit::kPopulate>},
      {.name = "cpu_huge_touch", .available = huge_pages, .run = cycle<Granule::kHuge, Commit::kTouch>},
      {.name = "cpu_huge_populate", .available = huge_pages, .run = cycle<Granule::kHuge, Commit::kPopulate>},
  };
  return table;
}

}  // namespace trisect::vattention
