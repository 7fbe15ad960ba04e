// LaRoSA in the engine: exact at sparsity zero, naive and online the same function, single rows and blocks alike.
#include "integration/phi2/engine/calibrate.hpp"
#include "tests/integration/engine/fixture.hpp"

namespace trisect::phi2 {
namespace {

constexpr const char* kFixture = "head80_bf16";

std::vector<std::int32_t> some_ids(int count, int vocab) {
  std::vector<std::int32_t> ids(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::int32_t>(random_bits(3, i) % static_cast<unsigned>(vocab));
  return ids;
}

Buffer run(Dtype dtype, std::optional<LarosaOptions> larosa, const Rotations* rotations, std::size_t block) {
  EngineOptions options;
  options.larosa = larosa;
  Engine engine(load_fixture(kFixture, dtype), options, rotations);
  Sequence sequence(engine, engine.context());
  return prefill(engine, sequence, some_ids(24, engine.config().vocab), block);
}

class LarosaEngine : public ::testing::TestWithParam<LarosaMode> {
 protected:
  static Rotations rotations() { return random_rotations(load_fixture(kFixture, Dtype::kF32), 11); }
};

TEST_P(LarosaEngine, KeepingEverythingReproducesTheDenseLogits) {
  const Rotations q = rotations();
  const LarosaOptions keep_all{.mode = GetParam(), .sparsity_permille = 0};
  const Buffer want = run(Dtype::kF32, std::nullopt, nullptr, 512);
  EXPECT_LT(distance(run(Dtype::kF32, keep_all, &q, 1).view(), want.view()), 1e-4);
  EXPECT_LT(distance(run(Dtype::kF32, keep_all, &q, 512).view(), want.view()), 1e-4);
  EXPECT_LT(distance(run(Dtype::kBf16, keep_all, &q, 1).view(), want.view()), 5e-2);
}

/// Evaluation treats blocks of rows as decoding treats single ones.
TEST_P(LarosaEngine, BlocksSelectAsSingleRowsDo) {
  const Rotations q = rotations();
  const LarosaOptions half{.mode = GetParam(), .sparsity_permille = 500, .prefill = true};
  EXPECT_LT(distance(run(Dtype::kF32, half, &q, 24).view(), run(Dtype::kF32, half, &q, 1).view()), 1e-3);
}

TEST_P(LarosaEngine, DroppingHalfChangesTheLogits) {
  const Rotations q = rotations();
  const LarosaOptions half{.mode = GetParam(), .sparsity_permille = 500};
  EXPECT_GT(distance(run(Dtype::kF32, half, &q, 1).view(), run(Dtype::kF32, std::nullopt, nullptr, 512).view()), 1e-2);
}

INSTANTIATE_TEST_SUITE_P(Modes, LarosaEngine, ::testing::Values(LarosaMode::kNaive, LarosaMode::kOnline),
                         [](const auto& mode) { return mode.param == LarosaMode::kNaive ? "naive" : "online"; });

TEST(LarosaEngineModes, NaiveAndOnlineAreTheSameFunction) {
  const Rotations q = random_rotations(load_fixture(kFixture, Dtype::kF32), 11);
  const LarosaOptions naive{.mode = LarosaMode::kNaive, .sparsity_permille = 400};
  const LarosaOptions online{.mode = LarosaMode::kOnline, .sparsity_permille = 400};
  EXPECT_LT(distance(run(Dtype::kF32, naive, &q, 1).view(), run(Dtype::kF32, online, &q, 1).view()), 1e-3);
}

TEST(LarosaOptionsTest, RefusesSparsitiesThatLeaveNothing) {
  EXPECT_NO_THROW(validate({.sparsity_permille = 833}));
  EXPECT_THROW(validate({.sparsity_permille = 834}), Error);
  EXPECT_THROW(validate({.sparsity_permille = -1000}), Error);
}

double worst_inner_product(const View& q) {
  double worst = 0;
  for (std::int64_t a = 0; a < q.rows; ++a) {
    for (std::int64_t b = a; b < q.rows; ++b) {
      double product = a == b ? -1 : 0;
      for (std::int64_t c = 0; c < q.cols; ++c) product += double{q.row<float>(a)[c]} * double{q.row<float>(b)[c]};
      worst = std::max(worst, std::abs(product));
    }
  }
  return worst;
}

TEST(RotationsTest, RandomOnesAreOrthogonalAndDifferByLayer) {
  const Rotations q = random_rotations(synthetic_weights(*known_config("phi-mini"), Dtype::kBf16, 1), 5);
  ASSERT_EQ(q.layers.size(), 6u);
  EXPECT_LT(worst_inner_product(q.layers[0]), 1e-5);
  EXPECT_NE(q.layers[0].row<float>()[1], q.layers[1].row<float>()[1]);
}

/// Directions of a calibrated rotation come in falling order of what they carry, so dropping by magnitude drops the
/// least; the order is visible in the energy of the rotated inputs.
TEST(RotationsTest, CalibratedOnesAreOrthogonalAndKeepMoreThanRandomOnes) {
  const Weights weights = load_fixture(kFixture, Dtype::kF32);
  const auto ids = some_ids(400, weights.config.vocab);
  const Rotations q = calibrate(weights, ids);
  EXPECT_LT(worst_inner_product(q.layers[0]), 1e-5);
  EXPECT_EQ(q.info.text_tokens, 400);

  const LarosaOptions larosa{.mode = LarosaMode::kOnline, .sparsity_permille = 500};
  const Rotations random = random_rotations(weights, 2);
  const Buffer dense = run(Dtype::kF32, std::nullopt, nullptr, 512);
  const double calibrated_error = distance(run(Dtype::kF32, larosa, &q, 1).view(), dense.view());
  const double random_error = distance(run(Dtype::kF32, larosa, &random, 1).view(), dense.view());
  EXPECT_LT(calibrated_error, random_error);
}

TEST(RotationsTest, RefusesTooLittleText) {
  const Weights weights = load_fixture(kFixture, Dtype::kF32);
  EXPECT_THROW(calibrate(weights, some_ids(weights.config.hidden - 1, weights.config.vocab)), Error);
}

}  // namespace
}  // namespace trisect::phi2
