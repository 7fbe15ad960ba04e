// The harness on machines that do not exist: what it times, how long, in which order, and what it makes of
// noise.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "microbench/harness/op_group.hpp"
#include "microbench/harness/reporter.hpp"
#include "tests/harness/fake_device.hpp"
#include "tests/harness/toy.hpp"

namespace trisect::microbench {
namespace {

using trisect::testing::bimodal;
using trisect::testing::drifting;
using trisect::testing::FakeDevice;
using trisect::testing::noisy;
using trisect::testing::steady;
using trisect::testing::throttled;
using trisect::testing::Toy;

FakeDevice* device = nullptr;
std::vector<std::string> calls;  // of all variants

/// Three microseconds of work on the device. There are two of it, so that whatever tells them apart is the
/// harness's.
void twin(const char* name, const Toy::Problem& p, const Toy::Args& a) {
  testing::toy_good(p, a);
  device->work(3e-6);
  calls.emplace_back(name);
}
void one(const Toy::Problem& p, const Toy::Args& a) { twin("one", p, a); }
void two(const Toy::Problem& p, const Toy::Args& a) { twin("two", p, a); }
void reference(const Toy::Problem& p, const Toy::Args& a) { testing::toy_good(p, a); }

struct Timed : Toy {
  static constexpr std::string_view name = "toy/timed";
  static std::span<const Toy::Variant> variants() {
    static const Toy::Variant kVariants[] = {
        {.name = "ref", .run = reference}, {.name = "one", .run = one}, {.name = "two", .run = two}};
    return kVariants;
  }
};

class Silent : public benchmark::BenchmarkReporter {
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>&) override {}
};

class FakeSession : public Session {
 public:
  FakeSession(FakeDevice& on, bool in_order) : device_(on), in_order_(in_order) {}
  std::chrono::nanoseconds now() const override {
    return std::chrono::nanoseconds(std::llround(device_.now() * 1e9));
  }
  bool in_order() const override { return in_order_; }
  void wait_for_turn(std::string_view what) override {
    waited_for.emplace_back(what);
    if (before_repetition) before_repetition(device_);
  }
  void repetition_ended(const Row& row) override { ended.emplace_back(row.variant); }

  std::function<void(FakeDevice&)> before_repetition;
  std::vector<std::string> waited_for, ended;

 private:
  FakeDevice& device_;
  bool in_order_;
};

void shuffle_repetitions(bool yes) {
  std::string flag = fmt::format("--benchmark_enable_random_interleaving={}", yes);
  static char program[] = "clock_test";  // the library keeps the pointer
  char* argv[] = {program, flag.data(), nullptr};
  int argc = 2;
  benchmark::Initialize(&argc, argv);
}

class ClockTest : public ::testing::Test {
 protected:
  enum Order { kShuffled, kInOrder };
  nlohmann::json run(FakeDevice::Slowness slowness, int repetitions = 9, Order order = kShuffled) {
    FakeDevice on(std::move(slowness));
    device = &on;
    session = std::make_unique<FakeSession>(on, order == kInOrder);
    session->before_repetition = before_repetition;
    group = std::make_unique<OpGroup<Timed>>(Toy::Problem{33, 0}, Repetitions{repetitions});
    std::erase_if(group->rows(), [](const auto& each) { return each->variant == "ref"; });
    shuffle_repetitions(order == kShuffled);
    Silent display;
    Reporter reporter(&display, 0);
    group->prepare(*session);
    calls.clear();
    group->register_benchmarks(*session);
    reporter.expect(*group);
    benchmark::RunSpecifiedBenchmarks(&reporter, ".");
    benchmark::ClearRegisteredBenchmarks();
    group->release();
    return nlohmann::json::parse(reporter.json());
  }
  const Row& row(std::size_t index) const { return *group->rows()[index]; }

  std::unique_ptr<FakeSession> session;
  std::unique_ptr<Group> group;
  std::function<void(FakeDevice&)> before_repetition;
};

TEST_F(ClockTest, TimesByTheClockItIsGiven) {
  const nlohmann::json result = run(steady());
  int samples = 0;
  for (const auto& entry : result["benchmarks"]) {
    if (entry["run_type"] != "iteration") continue;
    ++samples;
    EXPECT_NEAR(entry["real_time"].get<double>() * (entry["time_unit"] == "us" ? 1e3 : 1), 3000, 1e-3);
    EXPECT_NEAR(entry["bytes_per_second"].get<double>(), 12 * 33 / 3e-6, 1);
  }
  EXPECT_EQ(samples, 18) << "nine of each variant";
}

TEST_F(ClockTest, ARepetitionHasItsCallsWhateverTheMachineDoes) {
  for (const auto& slowness : {noisy(0.3), bimodal(0.01, 3), throttled(0.005, 10), drifting(50)}) {
    run(slowness, 3);
    for (const auto& each : group->rows()) {
      EXPECT_EQ(each->samples.size(), 3u);
      EXPECT_EQ(each->iterations, 500);
    }
  }
  // Warm-up takes 2 ms: 667 calls of 3 us; one more call is for the check afterwards.
  run(steady(), 3);
  EXPECT_EQ(std::count(calls.begin(), calls.end(), "one"), 3 * (667 + 500 + 1));
}

TEST_F(ClockTest, WhatTheFirstCallsCostIsNotTimed) {
  double awake = 0;
  before_repetition = [&](const FakeDevice& on) { awake = on.now() + 1.5e-3; };
  run([&](double now, std::mt19937_64&) { return now < awake ? 100.0 : 1.0; });
  for (const Sample& sample : row(0).samples) EXPECT_NEAR(sample.seconds, 500 * 3e-6, 1e-8);
}

TEST_F(ClockTest, AVerySlowKernelIsWarmedUpTwiceOnly) {
  run([](double, std::mt19937_64&) { return 1e5; }, 1);  // 0.3 s a call
  EXPECT_EQ(std::count(calls.begin(), calls.end(), "one"), 2 + 500 + 1);
}

TEST_F(ClockTest, VariantsAreShuffledTogether) {
  run(steady(), 20);
  ASSERT_EQ(session->ended.size(), 40u);
  int changes = 0;
  for (std::size_t i = 1; i < session->ended.size(); ++i)
    changes += session->ended[i] != session->ended[i - 1];
  EXPECT_GE(changes, 8) << "one after the other has one change; shuffled, some twenty";
}

TEST_F(ClockTest, RunsThatTakeTurnsGoInOrder) {
  run(steady(), 3, kInOrder);
  EXPECT_EQ(session->ended, (std::vector<std::string>{"one", "one", "one", "two", "two", "two"}));
  EXPECT_EQ(session->waited_for.at(0), "toy/timed/one/f32/n:33/sparsity_permille:0 0");
  EXPECT_EQ(session->waited_for.at(4), "toy/timed/two/f32/n:33/sparsity_permille:0 1");
}

TEST_F(ClockTest, ShufflingKeepsADriftFromPosingAsADifference) {
  const auto median = [](const Row& of) {
    std::vector<double> times;
    for (const Sample& sample : of.samples) times.push_back(sample.seconds);
    std::nth_element(times.begin(), times.begin() + static_cast<long>(times.size() / 2), times.end());
    return times[times.size() / 2];
  };
  run(drifting(2), 50, kInOrder);
  EXPECT_GT(median(row(1)) / median(row(0)), 1.2) << "one after the other, the second twin looks slower";
  run(drifting(2), 50);
  EXPECT_NEAR(median(row(1)) / median(row(0)), 1, 0.2);
}

TEST_F(ClockTest, EverySampleIsKeptAsItWas) {
  const auto json = run(bimodal(0.02, 5), 20);
  std::vector<double> told;
  for (const auto& entry : json["benchmarks"]) {
    if (entry["run_type"] == "iteration" && entry["run_name"] == row(0).benchmark)
      told.push_back(entry["real_time"].get<double>() * (entry["time_unit"] == "us" ? 1e-6 : 1e-9));
  }
  ASSERT_EQ(told.size(), 20u);
  for (std::size_t i = 0; i < told.size(); ++i)
    EXPECT_NEAR(told[i] * 500 / row(0).samples[i].seconds, 1, 1e-6);
  const auto [least, most] = std::minmax_element(told.begin(), told.end());
  EXPECT_GT(*most / *least, 2) << "both states show";
}

TEST_F(ClockTest, AClockThatStandsStillWritesNoInfinity) {
  const nlohmann::json json = run([](double, std::mt19937_64&) { return 0.0; }, 3);
  ASSERT_EQ(json["benchmarks"][0]["run_type"], "iteration");
  EXPECT_EQ(json["benchmarks"][0]["real_time"], 0);
  EXPECT_FALSE(json["benchmarks"][0].contains("bytes_per_second"));
}

}  // namespace
}  // namespace trisect::microbench
