#include "kernels/dense/layernorm.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "kernels/core/random.hpp"

namespace trisect::dense {
namespace {

using Kernel = decltype(layernorm_ref);

class Layernorms : public ::testing::TestWithParam<Kernel*> {
 protected:
  /// One row of n with unit gain and no bias.
  std::vector<float> normalise(std::vector<float> x, float eps) const {
    const std::vector<float> gain(x.size(), 1.0f), bias(x.size(), 0.0f);
    const int n = static_cast<int>(x.size());
    const View row = View::of(x.data(), 1, n);
    GetParam()({1, n},
               {row, View::of(gain.data(), 1, n), View::of(bias.data(), 1, n), row, eps});  // in place
    return x;
  }
};
INSTANTIATE_TEST_SUITE_P(All, Layernorms, ::testing::Values(layernorm_ref, layernorm_cpu));

TEST_P(Layernorms, HaveMeanZeroAndVarianceOne) {
  std::vector<float> x(2571);
  fill_normal(View::of(x.data(), 1, 2571), 5, 7);
  for (float& value : x) value += 300;  // a large common part must not drown the rest
  const std::vector<float> y = normalise(x, 0);
  double mean = 0, square = 0;
  for (const float value : y) mean += value / 2571.0, square += double{value} * double{value} / 2571.0;
  EXPECT_NEAR(mean, 0, 1e-5);
  EXPECT_NEAR(square, 1, 1e-5);
}

TEST_P(Layernorms, UseTheBiasedVarianceAndEps) {
  const std::vector<float> y = normalise({1, 3}, 3);
  EXPECT_FLOAT_EQ(y[0], -0.5f);
  EXPECT_FLOAT_EQ(y[1], 0.5f);
}

TEST_P(Layernorms, TurnAConstantRowIntoTheBias) {
  for (const float value : normalise(std::vector<float>(33, 4.0f), 1e-5f)) EXPECT_NEAR(value, 0, 1e-3);
}

TEST_P(Layernorms, TakeStridedRows) {
  float x[2][5] = {{1, 2, 3, 9, 9}, {4, 6, 8, 9, 9}}, y[2][4] = {{7, 7, 7, 7}, {7, 7, 7, 7}};
  const float gain[] = {1, 2, 3}, bias[] = {0.5f, 0, -0.5f};
  GetParam()({2, 3}, {View::of(&x[0][0], 2, 3, 5), View::of(gain, 1, 3), View::of(bias, 1, 3),
                      View::of(&y[0][0], 2, 3, 4), 0});
  const float unit = std::sqrt(1.5f);
  for (const auto& row : y) {
    EXPECT_FLOAT_EQ(row[0], 0.5f - unit);
    EXPECT_NEAR(row[1], 0, 1e-6);
    EXPECT_FLOAT_EQ(row[2], 3 * unit - 0.5f);
    EXPECT_EQ(row[3], 7);
  }
}

}  // namespace
}  // namespace trisect::dense
