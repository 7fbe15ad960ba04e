// Rows on a device: whose clock, on which memory, and what becomes of a device that runs hot.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <set>

#include "kernels/core/error.hpp"
#include "microbench/harness/op_group.hpp"
#include "microbench/harness/reporter.hpp"
#include "tests/harness/toy.hpp"

namespace trisect::microbench {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using trisect::testing::Toy;

/// Memory of the host that passes for a device's.
class FakeMemory final : public DeviceMemory {
 public:
  void* allocate(std::size_t bytes) override { return std::malloc(bytes); }
  void release(void* memory) noexcept override { std::free(memory); }
  void upload(void* to, const void* from, std::size_t bytes) override { std::memcpy(to, from, bytes); }
  void download(void* to, const void* from, std::size_t bytes) override { std::memcpy(to, from, bytes); }
};

/// Each timing takes a second of its own timeline; its clock is what the test says.
class FakeAccelerator final : public Accelerator {
 public:
  DeviceMemory& memory() override { return memory_; }
  bool emulated() const override { return is_emulated; }
  double time(How how, const std::function<void()>& queue) override {
    if (how == How::kGraph && !records) throw Error(ExitCode::kCheckFailed, "cannot be recorded");
    queue();
    ways.push_back(how);
    return static_cast<double>(ways.size());
  }
  std::optional<std::size_t> launches(const std::function<void()>& queue) override {
    queue();
    return records ? std::optional<std::size_t>(1) : std::nullopt;
  }
  double clock_share() override {
    if (clock.empty()) return 1;
    const double share = clock.front();
    if (clock.size() > 1) clock.pop_front();
    return share;
  }

  bool is_emulated = false, records = true;
  std::deque<double> clock;  // the last one stays
  std::vector<How> ways;

 private:
  FakeMemory memory_;
};

constexpr auto kGraph = Accelerator::How::kGraph, kStream = Accelerator::How::kStream;

struct Timed {
  DeviceTiming timing;
  Accelerator::How how = kGraph;
  std::vector<int> pauses;
};
Timed time(FakeAccelerator& device) {
  Timed result;
  result.timing = time_unthrottled(
      device, result.how, [] {}, [&](int ms) { result.pauses.push_back(ms); });
  return result;
}

TEST(TimeUnthrottled, RecordsAndWarmsUpBeforeItTimes) {
  FakeAccelerator device;
  const Timed result = time(device);
  EXPECT_THAT(device.ways, ElementsAre(kGraph, kGraph));
  EXPECT_EQ(result.timing.seconds, 2);
  EXPECT_EQ(result.timing.clock_share, 1);
  EXPECT_EQ(result.timing.discarded, 0);
  EXPECT_FALSE(result.timing.throttled);
}

TEST(TimeUnthrottled, QueuesWhatCannotBeRecorded) {
  FakeAccelerator device;
  device.records = false;
  const Timed result = time(device);
  EXPECT_EQ(result.how, kStream);
  EXPECT_THAT(device.ways, ElementsAre(kStream));
}

TEST(TimeUnthrottled, DiscardsWhatASlowClockSpoiled) {
  FakeAccelerator device;
  device.clock = {0.5, 0.74, 0.76};
  const Timed result = time(device);
  EXPECT_EQ(result.timing.discarded, 2);
  EXPECT_EQ(result.timing.seconds, 4);  // the third behind the one that recorded
  EXPECT_FALSE(result.timing.throttled);
  EXPECT_THAT(result.pauses, ElementsAre(10, 20));
}

TEST(TimeUnthrottled, GivesUpOnADeviceThatStaysHot) {
  FakeAccelerator device;
  device.clock = {0.6};
  const Timed result = time(device);
  EXPECT_EQ(result.timing.discarded, kMostDiscards);
  EXPECT_TRUE(result.timing.throttled);
  EXPECT_EQ(result.pauses.size(), std::size_t{kMostDiscards});
}

TEST(TimeUnthrottled, AnUnknownClockIsNotASlowOne) {
  FakeAccelerator device;
  device.clock = {0};
  device.is_emulated = true;
  const Timed result = time(device);
  EXPECT_FALSE(result.timing.throttled);
  EXPECT_THAT(device.ways, ElementsAre(kStream));  // once: nothing to be gained by recording
}

// --- groups
// ---------------------------------------------------------------------------------------------------------

std::vector<const void*> seen;  // inputs of the device's variants

void device_good(const Toy::Problem& p, const Toy::Args& a) {
  seen.push_back(a.x.data);
  testing::toy_good(p, a);
}

struct OnDevice : Toy {
  static constexpr std::string_view name = "toy/on_device";
  static std::span<const Toy::Variant> variants() {
    static const Toy::Variant kVariants[] = {
        {.name = "ref", .run = testing::toy_ref},
        {.name = "host", .run = testing::toy_good},
        {.name = "device", .device = Device::kCuda, .run = device_good},
        {.name = "device_wrong", .device = Device::kCuda, .run = testing::toy_wrong},
        {.name = "device_breaks_guard", .device = Device::kCuda, .run = testing::toy_breaks_guard},
        {.name = "device_nothing", .device = Device::kCuda, .run = [](const Toy::Problem&, const Toy::Args&) {
         }}};
    return kVariants;
  }
};

class FakeSession final : public Session {
 public:
  explicit FakeSession(FakeAccelerator& device) : device_(device) {}
  Accelerator& accelerator() override { return device_; }
  void pause(std::chrono::milliseconds duration) override { paused += duration; }
  std::chrono::milliseconds paused{0};

 private:
  FakeAccelerator& device_;
};

class Silent : public benchmark::BenchmarkReporter {
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>&) override {}
};

class DeviceGroup : public ::testing::Test {
 protected:
  void SetUp() override { seen.clear(); }

  void run() {
    Silent display;
    Reporter reporter(&display, 0);
    FakeSession session(device_);
    group_.prepare(session);
    group_.register_benchmarks(session);
    reporter.expect(group_);
    benchmark::RunSpecifiedBenchmarks(&reporter, ".");
    benchmark::ClearRegisteredBenchmarks();
    group_.release();
    paused_ = session.paused;
  }
  const Row& row(std::string_view variant) {
    for (const auto& each : group_.rows()) {
      if (each->variant == variant) return *each;
    }
    throw std::out_of_range(std::string(variant));
  }

  FakeAccelerator device_;
  OpGroup<OnDevice> group_{{33, 0}, Repetitions{3}};
  std::chrono::milliseconds paused_{0};
};

TEST_F(DeviceGroup, IsTimedByTheDevicesClockOnTheDevicesMemory) {
  // What damages memory makes the group start over, on other memory.
  std::erase_if(group_.rows(), [](const auto& each) { return each->variant == "device_breaks_guard"; });
  run();
  EXPECT_EQ(row("device").status, Status::kPass) << row("device").reason;
  EXPECT_EQ(row("device").timing, "graph");
  EXPECT_EQ(row("device").launches, 1u);
  EXPECT_EQ(row("host").timing, "host");
  EXPECT_FALSE(row("host").launches.has_value());
  EXPECT_EQ(row("host").status, Status::kPass) << row("host").reason;
  ASSERT_EQ(row("device").samples.size(), 3u);
  for (const Sample& sample : row("device").samples) EXPECT_EQ(sample.seconds, std::round(sample.seconds));
  EXPECT_EQ(std::set<const void*>(seen.begin(), seen.end()).size(), row("device").copies);
}

TEST_F(DeviceGroup, CatchesWhatGoesWrongThere) {
  run();
  EXPECT_EQ(row("device_wrong").status, Status::kFail);
  EXPECT_EQ(row("device_nothing").status,
            Status::kFail);  // the host's results of another variant do not help it
  EXPECT_EQ(row("device_breaks_guard").status, Status::kFail);
  EXPECT_THAT(row("device_breaks_guard").reason, HasSubstr("wrote outside output 0"));
  for (const char* bad : {"device_wrong", "device_nothing", "device_breaks_guard"}) {
    EXPECT_TRUE(row(bad).samples.empty()) << bad;
  }
}

TEST_F(DeviceGroup, AHotDeviceIsNotTrusted) {
  device_.clock = {0.61};
  run();
  EXPECT_EQ(row("device").status, Status::kMistrusted);
  EXPECT_THAT(row("device").reason,
              HasSubstr("throttled: the device ran at 61 % of its clock, 6 times in a row"));
  EXPECT_GT(paused_.count(), 0);
  EXPECT_EQ(row("host").status, Status::kPass);
}

TEST_F(DeviceGroup, TellsOfDiscardedSamples) {
  device_.clock = {0.5, 0.9, 0.8, 1.0};
  run();
  EXPECT_EQ(row("device").status, Status::kPass) << row("device").reason;
  EXPECT_EQ(row("device").discarded, 1);
  EXPECT_EQ(row("device").clock_share, 0.8);
}

}  // namespace
}  // namespace trisect::microbench
