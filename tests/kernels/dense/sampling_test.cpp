#include "kernels/dense/sampling.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "kernels/core/error.hpp"

namespace trisect::dense {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
const float kNan = std::nanf("");

std::vector<int> histogram(const std::vector<float>& logits, const SamplingParams& params, int draws) {
  std::vector<int> counts(logits.size());
  for (int step = 0; step < draws; ++step) {
    ++counts[static_cast<std::size_t>(sample(logits, params, static_cast<std::uint64_t>(step)))];
  }
  return counts;
}

/// Pearson's statistic of counts against probabilities; impossible outcomes must not occur.
double chi_square(const std::vector<int>& counts, const std::vector<double>& probability) {
  double draws = 0, sum = 0;
  for (const int count : counts) draws += count;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (probability[i] == 0) {
      EXPECT_EQ(counts[i], 0) << i;
      continue;
    }
    const double expected = draws * probability[i];
    sum += (counts[i] - expected) * (counts[i] - expected) / expected;
  }
  return sum;
}

std::vector<float> logs(const std::vector<double>& probability) {
  std::vector<float> logits;
  for (const double p : probability) logits.push_back(static_cast<float>(std::log(p) + 3));
  return logits;
}

TEST(Argmax, TakesTheLowestOfEqualsAndNeverNan) {
  EXPECT_EQ(argmax(std::vector<float>{1, 3, 2, 3}), 1);
  EXPECT_EQ(argmax(std::vector<float>{kNan, -5, kNan, -7}), 1);
  EXPECT_EQ(argmax(std::vector<float>{-kInfinity, 1, kInfinity}), 2);
  EXPECT_EQ(argmax(std::vector<float>{-0.0f, 0.0f}), 0);
}

TEST(Argmax, RefusesBrokenLogits) {
  for (const auto& logits : {std::vector<float>{}, {kNan, kNan}, {-kInfinity, kNan}}) {
    EXPECT_THROW(argmax(logits), Error);
    EXPECT_THROW(sample(logits, {1, 1, 0}, 0), Error);
  }
}

TEST(Sample, AtTemperatureZeroIsArgmax) {
  const std::vector<float> logits{0, 2, 1, 2};
  for (std::uint64_t step = 0; step < 100; ++step) EXPECT_EQ(sample(logits, {0, 0.5f, 7}, step), 1);
}

TEST(Sample, FollowsTheDistribution) {
  const std::vector<double> probability{0.4, 0.05, 0.3, 0.2, 0.05};
  // 99.9 % of fair samples stay below 18.5 with four degrees of freedom.
  EXPECT_LT(chi_square(histogram(logs(probability), {1, 1, 42}, 20000), probability), 18.5);
}

TEST(Sample, DividesLogitsByTheTemperature) {
  std::vector<double> probability{0.6, 0.3, 0.1}, squared = probability;
  double total = 0;
  for (double& p : squared) p *= p, total += p;
  for (double& p : squared) p /= total;
  EXPECT_LT(chi_square(histogram(logs(probability), {0.5f, 1, 43}, 20000), squared), 13.8);
  EXPECT_GT(chi_square(histogram(logs(probability), {0.5f, 1, 43}, 20000), probability), 100);
}

TEST(Sample, TopPKeepsTheFewestThatReachIt) {
  const std::vector<double> probability{0.1, 0.2, 0.4, 0.3};
  const std::vector<float> logits = logs(probability);
  EXPECT_LT(chi_square(histogram(logits, {1, 0.65f, 1}, 20000), {0, 0, 4 / 7.0, 3 / 7.0}), 10.8);
  EXPECT_LT(chi_square(histogram(logits, {1, 0.75f, 1}, 20000), {0, 2 / 9.0, 4 / 9.0, 3 / 9.0}), 13.8);
  EXPECT_LT(chi_square(histogram(logits, {1, 0.999999f, 1}, 20000), probability), 16.3);
  EXPECT_EQ(histogram(logits, {1, 0.3f, 1}, 1000)[2], 1000);
  EXPECT_EQ(histogram(logits, {1, 1e-30f, 1}, 1000)[2], 1000);
}

TEST(Sample, TopPOfEqualsTakesTheLowerIndex) {
  const std::vector<int> counts = histogram(std::vector<float>(10, 1.0f), {1, 0.29f, 5}, 3000);
  EXPECT_LT(chi_square(counts, {1 / 3.0, 1 / 3.0, 1 / 3.0, 0, 0, 0, 0, 0, 0, 0}), 13.8);
}

TEST(Sample, DependsOnSeedAndStepAlone) {
  std::vector<float> logits(1000, 0.0f);
  int other_seed = 0, other_step = 0;
  for (std::uint64_t step = 0; step < 100; ++step) {
    const int token = sample(logits, {1, 0.9f, 11}, step);
    EXPECT_EQ(sample(logits, {1, 0.9f, 11}, step), token);
    other_seed += sample(logits, {1, 0.9f, 12}, step) != token;
    other_step += sample(logits, {1, 0.9f, 11}, step + 1) != token;
  }
  EXPECT_GT(other_seed, 90);
  EXPECT_GT(other_step, 90);
}

TEST(Sample, GivesNanAndMinusInfinityNoChance) {
  const std::vector<int> counts = histogram({kNan, 1, -kInfinity, 1}, {2, 1, 3}, 2000);
  EXPECT_EQ(counts[0] + counts[2], 0);
  EXPECT_GT(counts[1], 800);
  EXPECT_GT(counts[3], 800);
  EXPECT_EQ(histogram({5, kInfinity, 5}, {1, 1, 3}, 50)[1], 50);
}

TEST(Sample, KeepsPaddingOutByTheSpan) {
  const std::vector<float> logits{1, 1, 9, 9};
  for (std::uint64_t step = 0; step < 200; ++step) {
    EXPECT_LT(sample(std::span(logits).first(2), {1, 0.95f, 1}, step), 2);
  }
}

TEST(Sample, SurvivesExtremeLogits) {
  EXPECT_EQ(sample(std::vector<float>{3e38f, -3e38f}, {1e-30f, 0.9f, 1}, 0), 0);
  const std::vector<int> counts = histogram({3e38f, -3e38f}, {3e38f, 1, 1}, 5000);
  EXPECT_NEAR(counts[1] / 5000.0, std::exp(-2) / (1 + std::exp(-2)), 0.02);
}

TEST(Sample, RefusesImpossibleParameters) {
  for (const float t : {-0.1f, kInfinity, kNan}) EXPECT_THROW(validate({t, 1, 0}), Error) << t;
  for (const float p : {0.0f, -1.0f, 1.01f, kNan}) EXPECT_THROW(validate({1, p, 0}), Error) << p;
}

TEST(LogSoftmax, IsTheFormula) {
  EXPECT_NEAR(log_softmax(logs({0.5, 0.25, 0.25}), 1), std::log(0.25), 1e-6);
  EXPECT_NEAR(log_softmax(std::vector<float>{1e30f, 0}, 0), 0, 1e-12);
  EXPECT_NEAR(log_softmax(std::vector<float>(51200, -7.0f), 3), -std::log(51200.0), 1e-12);
  EXPECT_TRUE(std::isnan(log_softmax(std::vector<float>{1, kNan}, 0)));
}

TEST(LogSoftmax, RefusesIdsOutside) {
  for (const int id : {-1, 2}) EXPECT_THROW(log_softmax(std::vector<float>{1, 2}, id), Error);
}

}  // namespace
}  // namespace trisect::dense
