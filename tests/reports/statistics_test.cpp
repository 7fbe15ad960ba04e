#include "reports/generator/statistics.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace trisect::report {
namespace {

Summary box(double q1, double median, double q3, int samples = 9) {
  return {samples, q1, q1, median, q3, q3};
}

TEST(SummarizeTest, QuartilesInterpolateBetweenOrderStatistics) {
  const Summary odd = summarize({5, 1, 4, 2, 3});
  EXPECT_EQ(odd.samples, 5);
  EXPECT_DOUBLE_EQ(odd.min, 1);
  EXPECT_DOUBLE_EQ(odd.q1, 2);
  EXPECT_DOUBLE_EQ(odd.median, 3);
  EXPECT_DOUBLE_EQ(odd.q3, 4);
  EXPECT_DOUBLE_EQ(odd.max, 5);
  const Summary even = summarize({4, 1, 3, 2});
  EXPECT_DOUBLE_EQ(even.q1, 1.75);
  EXPECT_DOUBLE_EQ(even.median, 2.5);
  EXPECT_DOUBLE_EQ(even.q3, 3.25);
}

TEST(MeanIntervalTest, StudentsT) {
  const MeanInterval it = mean_interval({1, 2, 3});  // deviation 1, t of two degrees 4.303
  EXPECT_EQ(it.samples, 3);
  EXPECT_DOUBLE_EQ(it.mean, 2);
  EXPECT_NEAR(it.high, 2 + 4.303 / std::sqrt(3.0), 1e-9);
  EXPECT_NEAR(it.low, 2 - 4.303 / std::sqrt(3.0), 1e-9);
  const MeanInterval same = mean_interval(std::vector<double>(50, 7.0));
  EXPECT_DOUBLE_EQ(same.low, 7);
  EXPECT_DOUBLE_EQ(same.high, 7);
  EXPECT_TRUE(std::isinf(mean_interval({5}).high)) << "one sample says nothing of the others";
}

TEST(SummarizeTest, OneSampleIsEveryQuartile) {
  const Summary one = summarize({7});
  EXPECT_EQ(one.samples, 1);
  EXPECT_DOUBLE_EQ(one.q1, 7);
  EXPECT_DOUBLE_EQ(one.q3, 7);
}

TEST(NoiseTest, IsTheInterquartileRangeOverTheMedian) {
  EXPECT_DOUBLE_EQ(noise(box(9, 10, 12)), 0.3);
  EXPECT_DOUBLE_EQ(noise(box(0, 0, 1)), 0);
}

TEST(SumTest, AddsQuartilesAndKeepsTheFewestSamples) {
  const Summary total = sum({box(1, 2, 3, 9), box(10, 20, 30, 5)});
  EXPECT_EQ(total.samples, 5);
  EXPECT_DOUBLE_EQ(total.q1, 11);
  EXPECT_DOUBLE_EQ(total.median, 22);
  EXPECT_DOUBLE_EQ(total.q3, 33);
}

TEST(SpeedupTest, IntervalFacesTheQuartiles) {
  const Ratio ratio = speedup(box(18, 20, 22), box(9, 10, 11));
  EXPECT_DOUBLE_EQ(ratio.centre, 2);
  EXPECT_DOUBLE_EQ(ratio.low, 18.0 / 11);
  EXPECT_DOUBLE_EQ(ratio.high, 22.0 / 9);
}

TEST(JudgeTest, BoxesApartAreFasterOrSlower) {
  EXPECT_EQ(judge({1.5, 1.4, 1.6}, 9), Verdict::kFaster);
  EXPECT_EQ(judge({0.5, 0.4, 0.6}, 9), Verdict::kSlower);
}

TEST(JudgeTest, OverlappingBoxesAreAmbiguous) {
  EXPECT_EQ(judge({1.5, 0.99, 2.5}, 9), Verdict::kAmbiguous);
  EXPECT_EQ(judge({0.5, 0.3, 1.01}, 9), Verdict::kAmbiguous);
  EXPECT_EQ(judge({1.0, 0.8, 1.2}, 9), Verdict::kAmbiguous);
}

TEST(JudgeTest, ATinyGapIsTheSameHoweverCertain) {
  EXPECT_EQ(judge({1.015, 1.01, 1.02}, 9), Verdict::kSame);
  EXPECT_EQ(judge({1.0, 1.0, 1.0}, 9), Verdict::kSame);
  EXPECT_EQ(judge({1.02, 1.01, 1.03}, 9), Verdict::kFaster);
}

TEST(JudgeTest, FewerThanThreeSamplesDecideNothing) {
  EXPECT_EQ(judge({9, 9, 9}, 2), Verdict::kAmbiguous);
  EXPECT_EQ(judge({9, 9, 9}, 3), Verdict::kFaster);
  EXPECT_EQ(change(box(20, 20, 20, 9), box(10, 10, 10, 1)).verdict, Verdict::kAmbiguous);
}

TEST(BreakEvenTest, InterpolatesInTime) {
  // Time ratios 1.25 and 0.5: 1 is a third of the way.
  const auto found = break_even({{0.0, 0.8}, {0.3, 2.0}});
  ASSERT_TRUE(found);
  EXPECT_NEAR(found->sparsity, 0.1, 1e-12);
  EXPECT_FALSE(found->at_or_below);
}

TEST(BreakEvenTest, TakesTheLastCrossing) {
  const auto found = break_even({{0.0, 0.5}, {0.2, 1.1}, {0.4, 0.8}, {0.6, 2.0}});
  ASSERT_TRUE(found);
  EXPECT_GT(found->sparsity, 0.4);
  EXPECT_LT(found->sparsity, 0.6);
}

TEST(BreakEvenTest, FasterFromTheStartAndNeverFaster) {
  const auto always = break_even({{0.25, 1.1}, {0.5, 1.5}});
  ASSERT_TRUE(always);
  EXPECT_TRUE(always->at_or_below);
  EXPECT_DOUBLE_EQ(always->sparsity, 0.25);
  EXPECT_FALSE(break_even({{0.25, 0.5}, {0.5, 0.9}}));
  EXPECT_FALSE(break_even({{0.25, 1.5}, {0.5, 0.9}}));
  EXPECT_FALSE(break_even({}));
}

TEST(BreakEvenTest, ExactlyOneIsNotYetFaster) {
  const auto found = break_even({{0.2, 1.0}, {0.4, 2.0}});
  ASSERT_TRUE(found);
  EXPECT_DOUBLE_EQ(found->sparsity, 0.2);
  EXPECT_FALSE(found->at_or_below);
}

}  // namespace
}  // namespace trisect::report
