#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <cstring>

#include "integration/phi2/model/weights.hpp"
#include "tests/integration/model/tiny_model.hpp"

namespace trisect::phi2 {
namespace {

bool same_bytes(const Weights& a, const Weights& b) {
  return a.bytes() == b.bytes() && std::memcmp(a.storage.data(), b.storage.data(), a.bytes()) == 0;
}

double deviation(const View& view) {
  double sum = 0;
  for (std::int64_t r = 0; r < view.rows; ++r) {
    for (std::int64_t c = 0; c < view.cols; ++c) sum += std::pow(double{view.row<float>(r)[c]}, 2);
  }
  return std::sqrt(sum / static_cast<double>(view.rows * view.cols));
}

TEST(SyntheticWeights, DependOnTheSeedAloneAndNotOnTheThreads) {
  const Config config = tiny_config();
  const Weights one = synthetic_weights(config, Dtype::kBf16, 1);
  const int threads = omp_get_max_threads();
  omp_set_num_threads(1);
  EXPECT_TRUE(same_bytes(one, synthetic_weights(config, Dtype::kBf16, 1)));
  omp_set_num_threads(threads);
  const Weights two = synthetic_weights(config, Dtype::kBf16, 2);
  EXPECT_FALSE(same_bytes(one, two));
  EXPECT_NE(one.hash, two.hash);
  EXPECT_NE(one.hash, synthetic_weights(tiny_config(3), Dtype::kBf16, 1).hash);
}

TEST(SyntheticWeights, Bf16IsRoundedF32OfTheSameModel) {
  const Weights wide = synthetic_weights(tiny_config(), Dtype::kF32, 1);
  const Weights narrow = synthetic_weights(tiny_config(), Dtype::kBf16, 1);
  EXPECT_EQ(wide.hash, narrow.hash);
  const View a = wide.layers[1].qkvh, b = narrow.layers[1].qkvh;
  for (std::int64_t r = 0; r < a.rows; ++r) {
    for (std::int64_t c = 0; c < a.cols; ++c)
      ASSERT_EQ(to_bf16(a.row<float>(r)[c]).bits, b.row<bf16>(r)[c].bits);
  }
}

TEST(SyntheticWeights, MatricesDifferAndHaveTheirVariance) {
  const Weights weights = synthetic_weights(tiny_config(8, 128, 2, 512, 1000), Dtype::kF32, 3);
  const LayerWeights& layer = weights.layers[3];
  EXPECT_NEAR(deviation(layer.qkvh) * std::sqrt(128), 1, 0.05);
  EXPECT_NEAR(deviation(layer.out.rows_from(0, 128)) * std::sqrt(128) * 4, 1, 0.05);
  EXPECT_NEAR(deviation(layer.out.rows_from(128, 512)) * std::sqrt(512) * 4, 1, 0.05);
  EXPECT_NEAR(deviation(weights.embedding), 1, 0.05);
  EXPECT_NE(std::memcmp(layer.qkvh.data, weights.layers[4].qkvh.data, 512), 0);
  EXPECT_NE(std::memcmp(layer.qkvh.byte_row(0), layer.qkvh.byte_row(1), 512), 0);
  EXPECT_GT(deviation(weights.head_bias), 0);
}

/// One token alone: attention returns its value, so the whole forward pass fits in a test.
TEST(SyntheticWeights, TheResidualStreamStaysOfOrderOneOver32Layers) {
  const Config config = tiny_config(32, 96, 2, 384, 50);
  const Weights weights = synthetic_weights(config, Dtype::kF32, 5);
  const std::int64_t h = config.hidden, m = config.intermediate;
  std::vector<double> x(weights.embedding.row<float>(7), weights.embedding.row<float>(7) + h);
  for (const LayerWeights& layer : weights.layers) {
    double mean = 0, square = 0;
    for (const double value : x) mean += value / static_cast<double>(h);
    for (const double value : x) square += (value - mean) * (value - mean) / static_cast<double>(h);
    std::vector<double> wide(layer.qkvh_bias.row<float>(),
                             layer.qkvh_bias.row<float>() + layer.qkvh_bias.cols);
    for (std::int64_t i = 0; i < h; ++i) {
      const double n = (x[static_cast<std::size_t>(i)] - mean) / std::sqrt(square + 1e-5) *
                           layer.norm_gain.row<float>()[i] +
                       layer.norm_bias.row<float>()[i];
      for (std::size_t j = 0; j < wide.size(); ++j) wide[j] += n * layer.qkvh.row<float>(i)[j];
    }
    for (std::int64_t i = 0; i < h + m; ++i) {
      double value = wide[static_cast<std::size_t>(2 * h + i)];
      if (i >= h) value *= 0.5 * (1 + std::tanh(0.7978845608 * (value + 0.044715 * value * value * value)));
      for (std::int64_t j = 0; j < h; ++j)
        x[static_cast<std::size_t>(j)] += value * layer.out.row<float>(i)[j];
    }
  }
  double square = 0;
  for (const double value : x) square += value * value / static_cast<double>(h);
  EXPECT_GT(std::sqrt(square), 0.7);
  EXPECT_LT(std::sqrt(square), 3.0);
}

}  // namespace
}  // namespace trisect::phi2
