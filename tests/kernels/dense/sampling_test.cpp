#include "kernels/dense/sampling.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "kernels/core/error.hpp"
#include "kernels/dense/sample.hpp"
#include "kernels/dense/sampling_weight.hpp"
#include "tests/kernels/on_device.hpp"

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

TEST(SamplingWeight, IsAPowerOfTwoToNineDigits) {
  for (std::uint32_t distance = 0; distance < 30u << kDistanceBits; distance += 9999991) {
    const double want = std::exp2(kWeightBits - static_cast<double>(distance) / (1 << kDistanceBits));
    EXPECT_NEAR(static_cast<double>(weight_of(distance)), want, 1 + 1e-8 * want) << distance;
  }
  EXPECT_EQ(weight_of(kTooFar), 0u);
  EXPECT_EQ(weight_of(37u << kDistanceBits), 0u);
  for (const float logit : {kNan, -kInfinity, -100.0f})
    EXPECT_EQ(distance_of(logit, 0, scale_of(1)), kTooFar);
}

TEST(SamplingWeight, ProductsKeepTheirHighHalf) {
  EXPECT_EQ(high_product(~0ull, ~0ull), ~0ull - 1);
  EXPECT_EQ(high_product(1ull << 63, 10), 5u);
  EXPECT_EQ(high_product(0x123456789abcdef0ull, 0xfedcba9876543210ull), 0x121fa00ad77d7422ull);
}

/// dense/sample on a device against draw(): the same ids, whatever the logits.
class Drawn : public ::testing::TestWithParam<Device> {
 protected:
  void SetUp() override {
    if (GetParam() == Device::kCuda && !why_no_cuda().empty()) GTEST_SKIP() << why_no_cuda();
  }

  static std::vector<std::int32_t> ids(std::vector<float> logits, int rows, float temperature, float top_p) {
    const int n = static_cast<int>(logits.size());
    std::vector<float> all;
    std::vector<std::int32_t> bits, ids(static_cast<std::size_t>(rows), -7);
    for (int r = 0; r < rows; ++r) all.insert(all.end(), logits.begin(), logits.end());
    for (const int shift : {0, 32}) {
      for (int r = 0; r < rows; ++r) bits.push_back(static_cast<std::int32_t>(bits_of(r) >> shift));
    }
    const testing::OnDevice there(GetParam(), all);
    const testing::OnDevice bits_there(GetParam(), bits), ids_there(GetParam(), ids);
    const Sample::Problem problem{rows, n, 0, 0};
    best_variant<Sample>(problem, GetParam())
        .run(problem, {View::of(there.get(), rows, n), View::of(bits_there.get(), 2, rows),
                       View::of(ids_there.get(), 1, rows), temperature, top_p});
    ids_there.fetch(ids);
    return ids;
  }
  static std::uint64_t bits_of(int row) { return random_bits(5, static_cast<std::uint64_t>(row)); }
};

TEST_P(Drawn, AsByTheFunction) {
  std::vector<float> ties(3000, 1.0f), mixed(1500), far{0, -90, 0, -1, -25};
  for (std::size_t i = 0; i < mixed.size(); ++i) {
    const std::uint64_t bits = random_bits(9, i);
    mixed[i] = bits % 7 == 0 ? kNan : bits % 11 == 0 ? -kInfinity : static_cast<float>(bits % 9);
  }
  const std::vector<std::vector<float>> all{
      ties,          mixed,          far, {1}, {kNan, -kInfinity, 3}, {5, kInfinity, kInfinity},
      {-0.0f, 0.0f}, {3e38f, -3e38f}};
  for (const std::vector<float>& logits : all) {
    for (const float temperature : {0.0f, 1e-39f, 0.3f, 1.0f, 40.0f, 3e38f}) {
      for (const float top_p : {1.0f, 0.5f, 1e-30f}) {
        const auto got = ids(logits, 12, temperature, top_p);
        for (int r = 0; r < 12; ++r) {
          ASSERT_EQ(got[static_cast<std::size_t>(r)], draw(logits, temperature, top_p, bits_of(r)))
              << logits.size() << " logits, temperature " << temperature << ", top-p " << top_p << ", row "
              << r;
        }
      }
    }
  }
}

TEST_P(Drawn, WhereThereIsNoNumberNothing) {
  if (GetParam() == Device::kCpu) {
    EXPECT_THROW(ids({kNan, -kInfinity}, 1, 1, 1), Error);
  } else {
    EXPECT_EQ(ids({kNan, -kInfinity}, 1, 1, 1)[0], -1);
  }
}

INSTANTIATE_TEST_SUITE_P(Cpu, Drawn, ::testing::Values(Device::kCpu));
INSTANTIATE_TEST_SUITE_P(Cuda, Drawn, ::testing::Values(Device::kCuda));

}  // namespace
}  // namespace trisect::dense
