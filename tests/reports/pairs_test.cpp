// The statistics of a comparison, against hand-made samples and on machines that do not exist.
#include "reports/generator/pairs.hpp"

#include <gtest/gtest.h>

#include "tests/harness/fake_device.hpp"

namespace trisect::report {
namespace {

using trisect::testing::FakeDevice;

LogRatios logs(const std::vector<double>& ratios) {
  LogRatios pairs;
  for (const double ratio : ratios) pairs.push_back(std::log(ratio));
  return pairs;
}

TEST(MedianRatioTest, IntervalLeavesOutWhatTheSignTestAllows) {
  // Of 9, none may be left out at either end (1 of 512 is 0.2 %); of 15, two (17 of 32768 below, 0.05 % + 0.3
  // %).
  const Ratio nine = median_ratio(logs({1, 2, 3, 4, 5, 6, 7, 8, 9}));
  EXPECT_NEAR(nine.centre, 5, 1e-12);
  EXPECT_NEAR(nine.low, 1, 1e-12);
  EXPECT_NEAR(nine.high, 9, 1e-12);
  const Ratio fifteen = median_ratio(logs({15, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}));
  EXPECT_NEAR(fifteen.centre, 8, 1e-12);
  EXPECT_NEAR(fifteen.low, 3, 1e-12);
  EXPECT_NEAR(fifteen.high, 13, 1e-12);
}

TEST(MedianRatioTest, OfAnEvenNumberIsHalfWayInLogarithms) {
  EXPECT_NEAR(median_ratio(logs({1, 4})).centre, 2, 1e-12);
  EXPECT_NEAR(median_ratio(logs({0.5})).high, 0.5, 1e-12);
}

TEST(PooledRatioTest, IsTheMedianOfAllPairsAndTheSameEveryTime) {
  std::vector<LogRatios> rows;
  for (int row = 1; row <= 9; ++row) rows.push_back(logs({1.0 * row, 1.0 * row, 1.0 * row}));
  const Ratio ratio = pooled_ratio(rows);
  EXPECT_NEAR(ratio.centre, 5, 1e-12);
  EXPECT_GT(ratio.low, 1) << "the bootstrap rarely draws one row most of the time";
  EXPECT_LT(ratio.low, 4);
  EXPECT_GT(ratio.high, 6);
  EXPECT_LT(ratio.high, 9);
  EXPECT_EQ(pooled_ratio(rows).low, ratio.low);
}

TEST(PooledRatioTest, OfFewRowsHoldsTheIntervalsOfAll) {
  const Ratio ratio = pooled_ratio({logs({1, 2, 2}), logs({2, 2, 2}), logs({2, 2, 4})});
  EXPECT_NEAR(ratio.centre, 2, 1e-12);
  EXPECT_NEAR(ratio.low, 1, 1e-12);
  EXPECT_NEAR(ratio.high, 4, 1e-12);
  EXPECT_NEAR(pooled_ratio({logs({3})}).high, 3, 1e-12);
}

TEST(MeanRatioTest, DoesNotNarrowTheIntervalWithMoreRows) {
  const Ratio ratio = mean_ratio({{1, 0.5, 2}, {4, 2, 8}});
  EXPECT_NEAR(ratio.centre, 2, 1e-12);
  EXPECT_NEAR(ratio.low, 1, 1e-12);
  EXPECT_NEAR(ratio.high, 4, 1e-12);
}

TEST(JudgeWithinTest, NeedsTheWholeIntervalAndTheMargin) {
  EXPECT_EQ(judge_within({1.10, 1.01, 1.2}, 0.03), Verdict::kFaster);
  EXPECT_EQ(judge_within({0.90, 0.8, 0.99}, 0.03), Verdict::kSlower);
  EXPECT_EQ(judge_within({1.10, 0.99, 1.2}, 0.03), Verdict::kAmbiguous);
  EXPECT_EQ(judge_within({0.90, 0.8, 1.01}, 0.03), Verdict::kAmbiguous);
  EXPECT_EQ(judge_within({1.02, 1.01, 1.03}, 0.03), Verdict::kSame) << "certain, and too small to matter";
  EXPECT_EQ(judge_within({1.02, 1.01, 1.06}, 0.03), Verdict::kAmbiguous);
  EXPECT_EQ(judge_within({1.0, 0.94, 1.0}, 0.03), Verdict::kAmbiguous);
}

/// Rows of two builds on one machine, in turns as compare_builds.sh has them. The new build's work is
/// `factor` times as long.
Verdict in_turns(const FakeDevice::Slowness& slowness, double factor, unsigned seed) {
  FakeDevice device(slowness, seed);
  std::vector<LogRatios> rows;
  for (int row = 0; row < 25; ++row) {
    LogRatios pairs;
    for (int pair = 0; pair < 15; ++pair) {
      double base = 0, fresh = 0;
      for (const int turn : {0, 1}) {
        device.idle(0.008);  // waking up, checking, handing over
        const double work = 0.0025 * (1 + row % 5);
        ((turn + pair) % 2 == 0 ? base : fresh) = device.work((turn + pair) % 2 == 0 ? work : work * factor);
      }
      pairs.push_back(std::log(base / fresh));
    }
    rows.push_back(pairs);
  }
  return judge_within(pooled_ratio(rows), 0.03);
}

struct Machine {
  const char* name;
  FakeDevice::Slowness slowness;
};
const Machine kMachines[] = {{"steady", trisect::testing::steady()},
                             {"noisy", trisect::testing::noisy(0.1)},
                             {"bimodal", trisect::testing::bimodal(0.5, 1.7)},
                             {"throttled", trisect::testing::throttled(3, 2)},
                             {"drifting", trisect::testing::drifting(0.05)}};

class OnAMachine : public ::testing::TestWithParam<Machine> {};

TEST_P(OnAMachine, OneBuildIsNeverFasterOrSlowerThanItself) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    const Verdict verdict = in_turns(GetParam().slowness, 1, seed);
    EXPECT_TRUE(verdict == Verdict::kSame || verdict == Verdict::kAmbiguous)
        << seed << ": " << name_of(verdict);
  }
}

TEST_P(OnAMachine, TenPercentMoreWorkIsSlower) {
  for (unsigned seed = 1; seed <= 20; ++seed)
    EXPECT_EQ(in_turns(GetParam().slowness, 1.1, seed), Verdict::kSlower) << seed;
}

INSTANTIATE_TEST_SUITE_P(, OnAMachine, ::testing::ValuesIn(kMachines),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace trisect::report
