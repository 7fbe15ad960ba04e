#include "kernels/dense/gelu.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

namespace trisect::dense {
namespace {

/// The definition, in long double: 1 + tanh(u) = 2 / (1 + exp(-2u)) keeps its digits where tanh(u) nears -1.
long double gelu_new(long double x) {
  const long double u = std::sqrt(2 / std::numbers::pi_v<long double>) * (x + 0.044715L * x * x * x);
  return x / (1 + std::exp(-2 * u));
}

std::vector<float> gelu(std::vector<float> x) {
  const View row = View::of(x.data(), 1, static_cast<std::int64_t>(x.size()));
  gelu_cpu({1, static_cast<int>(x.size())}, {row, row});  // in place
  return x;
}

TEST(Gelu, ReferenceIsTheTanhForm) {
  for (const float x : {-3.0f, -1.0f, -0.1f, 0.0f, 0.5f, 2.0f, 6.0f}) {
    float y;
    gelu_ref({1, 1}, {View::of(&x, 1, 1), View::of(&y, 1, 1)});
    const double v = x, u = std::sqrt(2 / std::numbers::pi) * (v + 0.044715 * v * v * v);
    EXPECT_NEAR(y, 0.5 * v * (1 + std::tanh(u)), 1e-7 * std::abs(v)) << x;
  }
}

TEST(Gelu, IsAccurateOverTheWholeRange) {
  std::vector<float> x;
  for (float v = 1e-30f; v < 1e30f; v *= 1.0003f) x.insert(x.end(), {v, -v});
  const std::vector<float> y = gelu(x);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const long double want = gelu_new(x[i]);
    const long double bound = std::abs(want) * (x[i] > -4 ? 1e-6L : 1e-5L) + 1e-37L;
    ASSERT_LE(std::abs(y[i] - want), bound) << "x = " << x[i];
  }
}

TEST(Gelu, AtTheEnds) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity(),
                  kLargest = std::numeric_limits<float>::max();
  const std::vector<float> y = gelu({0.0f, -0.0f, kInfinity, kLargest, -kLargest, std::nanf("")});
  EXPECT_EQ(y[0], 0);
  EXPECT_EQ(y[1], 0);
  EXPECT_EQ(y[2], kInfinity);
  EXPECT_EQ(y[3], kLargest);
  EXPECT_EQ(y[4], 0);
  EXPECT_TRUE(std::isnan(y[5]));
}

}  // namespace
}  // namespace trisect::dense
