// The transforms of weights themselves; that they keep the function is larosa_test's business.
#include "integration/phi2/engine/larosa_weights.hpp"

#include <gtest/gtest.h>

#include "integration/phi2/engine/panels.hpp"
#include "integration/phi2/engine/random_rotations.hpp"
#include "kernels/core/check.hpp"
#include "tests/integration/model/tiny_model.hpp"

namespace trisect::phi2 {
namespace {

const Config kConfig = tiny_config(3, 36, 3, 70, 67);

LarosaWeights made(LarosaMode mode, RotationKind kind, bool values = true) {
  RotationInfo info;
  info.kind = kind;
  info.values = values;
  info.space = mode == LarosaMode::kMerged ? kCentredSpace : kLayernormSpace;
  const auto q = random_rotations(kConfig, info, 3);
  return transform(synthetic_weights(kConfig, Dtype::kF32, 1), *q, mode);
}

bool constant(const View& row, float value) {
  return std::all_of(row.row<float>(), row.row<float>() + row.cols, [&](float x) { return x == value; });
}

TEST(LarosaWeightsTest, OneAdapterBetweenTwoLayersAndNoneWhereTheyShareQ) {
  EXPECT_EQ(made(LarosaMode::kMerged, RotationKind::kLayer).adapter.size(), 2u);
  for (const RotationKind kind : {RotationKind::kGlobal, RotationKind::kRandom, RotationKind::kNone}) {
    const LarosaWeights shared = made(LarosaMode::kMerged, kind);
    EXPECT_EQ(shared.adapter.size(), 0u);
    EXPECT_EQ(shared.matrix_bytes(), 0u);
  }
  EXPECT_EQ(made(LarosaMode::kMerged, RotationKind::kLayer).matrix_bytes(), 2 * 36 * 36 * sizeof(float));
  EXPECT_EQ(made(LarosaMode::kOnline, RotationKind::kLayer).rotation.size(), 3u);
  EXPECT_EQ(made(LarosaMode::kOnline, RotationKind::kGlobal).rotation.size(), 1u);
  EXPECT_EQ(made(LarosaMode::kNaive, RotationKind::kLayer).matrix_bytes(), 6 * 36 * 36 * sizeof(float));
}

TEST(LarosaWeightsTest, MergingLeavesNoLayernormAndNoMeans) {
  const LarosaWeights merged = made(LarosaMode::kMerged, RotationKind::kNone);
  for (const LayerWeights& layer : merged.weights.layers) {
    EXPECT_TRUE(constant(layer.norm_gain, 1));
    EXPECT_TRUE(constant(layer.norm_bias, 0));
    for (std::int64_t r = 0; r < layer.out.rows; ++r) {
      double sum = 0;
      for (std::int64_t c = 0; c < layer.out.cols; ++c) sum += double{layer.out.row<float>(r)[c]};
      EXPECT_NEAR(sum, 0, 1e-5);
    }
  }
  EXPECT_TRUE(constant(merged.weights.final_gain, 1));
}

TEST(LarosaWeightsTest, NaiveLeavesTheWeightsAsTheyAre) {
  const Weights before = synthetic_weights(kConfig, Dtype::kF32, 1);
  const LarosaWeights naive = made(LarosaMode::kNaive, RotationKind::kLayer, false);
  EXPECT_EQ(std::memcmp(before.storage.data(), naive.weights.storage.data(), before.bytes()), 0);
}

TEST(PanelsTest, EveryColumnAndRowIsEditedOnceAcrossPanels) {
  const Buffer w(Dtype::kBf16, 3, 2 * kPanel + 90), tall(Dtype::kBf16, 2 * kPanel + 90, 3);
  edit_columns(w.view(), 70, {}, [](const View& panel, std::int64_t first) {
    EXPECT_EQ(first % 70, 0);
    for (std::int64_t r = 0; r < 3; ++r) {
      for (std::int64_t c = 0; c < panel.cols; ++c)
        panel.row<float>(r)[c] += static_cast<float>((first + c) % 128);
    }
  });
  edit_rows(tall.view(), 70, {}, [](const View& panel, std::int64_t first) {
    for (std::int64_t r = 0; r < panel.rows; ++r)
      panel.row<float>(r)[1] += static_cast<float>((first + r) % 128);
  });
  for (std::int64_t i = 0; i < w.view().cols; ++i) {
    ASSERT_EQ(to_f32(w.view().row<bf16>(2)[i]), static_cast<float>(i % 128));
    ASSERT_EQ(to_f32(tall.view().row<bf16>(i)[1]), static_cast<float>(i % 128));
    ASSERT_EQ(to_f32(tall.view().row<bf16>(i)[0]), 0.0f);
  }
}

}  // namespace
}  // namespace trisect::phi2
