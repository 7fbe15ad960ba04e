// LaRoSA in the engine: exact at sparsity zero in every mode with every rotation, naive and online the same
// function, single rows and blocks alike.
#include "integration/phi2/engine/calibrate.hpp"
#include "integration/phi2/engine/random_rotations.hpp"
#include "tests/integration/engine/fixture.hpp"
#include "tests/integration/model/tiny_model.hpp"

namespace trisect::phi2 {
namespace {

constexpr const char* kFixture = "head80_bf16";

std::vector<std::int32_t> some_ids(int count, int vocab) {
  std::vector<std::int32_t> ids(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < ids.size(); ++i) {
    ids[i] = static_cast<std::int32_t>(random_bits(3, i) % static_cast<unsigned>(vocab));
  }
  return ids;
}

std::unique_ptr<RotationSource> random_for(const Config& config, LarosaMode mode, RotationKind kind,
                                           Seed seed = 11) {
  RotationInfo info;
  info.kind = kind;
  info.values = kind != RotationKind::kNone;
  info.space = mode == LarosaMode::kMerged ? kCentredSpace : kLayernormSpace;
  return random_rotations(config, info, seed);
}

Buffer run(Weights weights, std::optional<LarosaOptions> larosa, const RotationSource* rotations,
           std::size_t block, int tokens = 24) {
  EngineOptions options;
  options.larosa = larosa;
  Engine engine(std::move(weights), options, rotations);
  Sequence sequence(engine, engine.context());
  return prefill(engine, sequence, some_ids(tokens, engine.config().vocab), block);
}

Buffer run(Dtype dtype, std::optional<LarosaOptions> larosa, const RotationSource* rotations,
           std::size_t block) {
  return run(load_fixture(kFixture, dtype), larosa, rotations, block);
}

Config fixture_config() { return load_config(fixture_path(kFixture) / "config.json"); }

using Way = std::tuple<LarosaMode, RotationKind>;

std::string name_of_way(const ::testing::TestParamInfo<Way>& info) {
  constexpr const char* kModes[] = {"naive", "online", "merged"};
  return fmt::format("{}_{}", kModes[static_cast<std::size_t>(std::get<0>(info.param))],
                     name_of(std::get<1>(info.param)));
}

class LarosaEngine : public ::testing::TestWithParam<Way> {
 protected:
  LarosaMode mode() const { return std::get<0>(GetParam()); }
  RotationKind kind() const { return std::get<1>(GetParam()); }
  LarosaOptions options(int permille, bool in_prefill = false) const {
    return {.mode = mode(), .rotation = kind(), .sparsity_permille = permille, .prefill = in_prefill};
  }
  std::unique_ptr<RotationSource> rotations(const Config& config) const {
    return random_for(config, mode(), kind());
  }
  std::unique_ptr<RotationSource> rotations() const { return rotations(fixture_config()); }
};

TEST_P(LarosaEngine, KeepingEverythingReproducesTheDenseLogits) {
  const auto q = rotations();
  const Buffer want = run(Dtype::kF32, std::nullopt, nullptr, 512);
  EXPECT_LT(distance(run(Dtype::kF32, options(0), q.get(), 1).view(), want.view()), 1e-4);
  EXPECT_LT(distance(run(Dtype::kF32, options(0), q.get(), 512).view(), want.view()), 1e-4);
  // bf16 weights have rounded once more, nothing else: about as far from f32 as the dense bf16 model is.
  const double dense_error = distance(run(Dtype::kBf16, std::nullopt, nullptr, 512).view(), want.view());
  const double decoded = distance(run(Dtype::kBf16, options(0), q.get(), 1).view(), want.view());
  const double prefilled = distance(run(Dtype::kBf16, options(0), q.get(), 512).view(), want.view());
  EXPECT_LT(std::max(decoded, prefilled), 2.5 * dense_error);
  RecordProperty("dense_bf16_error_ppm", static_cast<int>(1e6 * dense_error));
  RecordProperty("decoded_bf16_error_ppm", static_cast<int>(1e6 * decoded));
  RecordProperty("prefilled_bf16_error_ppm", static_cast<int>(1e6 * prefilled));
}

/// Gains and biases of LayerNorm, biases everywhere, odd sizes.
TEST_P(LarosaEngine, KeepingEverythingIsExactOnRandomModels) {
  for (const Config& config :
       {tiny_config(1), tiny_config(2, 40, 5, 33, 50), tiny_config(5, 36, 3, 130, 17)}) {
    const auto random = [&] {
      Weights weights = synthetic_weights(config, Dtype::kF32, 4);
      Seed seed = 7;
      const auto disturb = [&](const View& view, float centre) {
        fill_normal(view, ++seed, 0.5f);
        for (std::int64_t i = 0; i < view.cols; ++i) view.row<float>()[i] += centre;
      };
      for (const LayerWeights& layer : weights.layers) {
        disturb(layer.norm_gain, 1);
        for (const View& bias : {layer.norm_bias, layer.qkvh_bias, layer.out_bias}) disturb(bias, 0);
      }
      disturb(weights.final_gain, 1);
      disturb(weights.final_bias, 0);
      disturb(weights.head_bias, 0);
      return weights;
    };
    const auto q = rotations(config);
    const Buffer want = run(random(), std::nullopt, nullptr, 512);
    EXPECT_LT(distance(run(random(), options(0), q.get(), 1).view(), want.view()), 1e-4);
    EXPECT_LT(distance(run(random(), options(0), q.get(), 7).view(), want.view()), 1e-4);
  }
}

/// Evaluation treats blocks of rows as decoding treats single ones.
TEST_P(LarosaEngine, BlocksSelectAsSingleRowsDo) {
  const auto q = rotations();
  EXPECT_LT(distance(run(Dtype::kF32, options(500, true), q.get(), 24).view(),
                     run(Dtype::kF32, options(500, true), q.get(), 1).view()),
            1e-3);
}

TEST_P(LarosaEngine, DroppingHalfChangesTheLogitsOfDecodingAndOnlyIfAskedOfPrefill) {
  const auto q = rotations();
  const Buffer dense = run(Dtype::kF32, std::nullopt, nullptr, 512);
  EXPECT_GT(distance(run(Dtype::kF32, options(500), q.get(), 1).view(), dense.view()), 1e-2);
  EXPECT_GT(distance(run(Dtype::kF32, options(500, true), q.get(), 512).view(), dense.view()), 1e-2);
  EXPECT_LT(distance(run(Dtype::kF32, options(500), q.get(), 512).view(), dense.view()), 1e-4);
}

INSTANTIATE_TEST_SUITE_P(Ways, LarosaEngine,
                         ::testing::Combine(::testing::Values(LarosaMode::kNaive, LarosaMode::kOnline,
                                                              LarosaMode::kMerged),
                                            ::testing::Values(RotationKind::kLayer, RotationKind::kGlobal,
                                                              RotationKind::kRandom, RotationKind::kNone)),
                         name_of_way);

TEST(LarosaEngineModes, NaiveAndOnlineAreTheSameFunction) {
  const auto q = random_for(fixture_config(), LarosaMode::kNaive, RotationKind::kLayer);
  const LarosaOptions naive{.mode = LarosaMode::kNaive, .sparsity_permille = 400};
  const LarosaOptions online{.mode = LarosaMode::kOnline, .sparsity_permille = 400};
  EXPECT_LT(distance(run(Dtype::kF32, naive, q.get(), 1).view(), run(Dtype::kF32, online, q.get(), 1).view()),
            1e-3);
}

TEST(LarosaEngineModes, MergedIsExactOnPhiMini) {
  const auto weights = [] { return load_weights(find_model("phi-mini"), Dtype::kF32); };
  const Buffer want = run(weights(), std::nullopt, nullptr, 512, 100);
  for (const RotationKind kind : {RotationKind::kLayer, RotationKind::kGlobal}) {
    const auto q = random_for(find_model("phi-mini").config, LarosaMode::kMerged, kind);
    const LarosaOptions keep_all{.mode = LarosaMode::kMerged, .rotation = kind, .sparsity_permille = 0};
    EXPECT_LT(distance(run(weights(), keep_all, q.get(), 512, 100).view(), want.view()), 1e-4);
  }
}

TEST(LarosaEngineModes, SparsityMayChangeButNotWhatTheWeightsWereMadeFor) {
  const auto q = random_for(fixture_config(), LarosaMode::kMerged, RotationKind::kGlobal);
  EngineOptions options;
  options.larosa = {.mode = LarosaMode::kMerged, .rotation = RotationKind::kGlobal, .sparsity_permille = 0};
  Engine engine(load_fixture(kFixture, Dtype::kF32), options, q.get());
  options.larosa->sparsity_permille = 300;
  options.larosa->coefficients = {1000, 500};
  engine.set_larosa(*options.larosa);
  Sequence sequence(engine, engine.context());
  const Buffer changed = prefill(engine, sequence, some_ids(24, engine.config().vocab), 1);
  EXPECT_EQ(distance(changed.view(), run(Dtype::kF32, options.larosa, q.get(), 1).view()), 0);

  options.larosa->sparsity_permille = 999;
  options.larosa->coefficients = {};
  EXPECT_THROW(engine.set_larosa(*options.larosa), Error);
  EXPECT_THROW(engine.set_larosa({.mode = LarosaMode::kOnline, .rotation = RotationKind::kGlobal}), Error);
  EXPECT_THROW(engine.set_larosa({.mode = LarosaMode::kMerged, .rotation = RotationKind::kLayer}), Error);
  Engine dense(load_fixture(kFixture, Dtype::kF32), {});
  EXPECT_THROW(dense.set_larosa({}), Error);
}

TEST(LarosaEngineModes, RotationsOfAnotherSpaceOrKindAreRefused) {
  const auto layernorm = random_for(fixture_config(), LarosaMode::kOnline, RotationKind::kGlobal);
  const auto centred = random_for(fixture_config(), LarosaMode::kMerged, RotationKind::kGlobal);
  const auto with = [](LarosaMode mode, RotationKind kind, const RotationSource& q) {
    return run(Dtype::kF32, LarosaOptions{.mode = mode, .rotation = kind}, &q, 1);
  };
  EXPECT_THROW(with(LarosaMode::kMerged, RotationKind::kGlobal, *layernorm), Error);
  EXPECT_THROW(with(LarosaMode::kOnline, RotationKind::kGlobal, *centred), Error);
  EXPECT_THROW(with(LarosaMode::kNaive, RotationKind::kGlobal, *centred), Error);
  EXPECT_THROW(with(LarosaMode::kMerged, RotationKind::kLayer, *centred), Error);
}

TEST(LarosaOptionsTest, RefusesSparsitiesThatLeaveNothing) {
  EXPECT_NO_THROW(validate({.sparsity_permille = 833}));
  EXPECT_THROW(validate({.sparsity_permille = 834}), Error);
  EXPECT_THROW(validate({.sparsity_permille = -1000}), Error);
  EXPECT_THROW(validate({.sparsity_permille = 500, .coefficients = {2000, 1000}}), Error);
  EXPECT_THROW(validate({.sparsity_permille = 0, .coefficients = {-1, 1000}}), Error);
}

TEST(LarosaOptionsTest, TheShareOfWeightsLeftUnreadIsNotP) {
  const Config phi2 = *known_config("phi-2");
  EXPECT_NEAR(weight_sparsity(phi2, {.sparsity_permille = 400}), 0.967 * 0.4, 1e-3);
  EXPECT_NEAR(weight_sparsity(phi2, {.sparsity_permille = 400, .coefficients = {1000, 1000}}), 0.4, 1e-3);
  EXPECT_EQ(weight_sparsity(phi2, {.sparsity_permille = 0}), 0);
}

}  // namespace
}  // namespace trisect::phi2
