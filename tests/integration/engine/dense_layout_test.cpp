// Weights in panels: laid out so where nothing skips rows, and the same model.
#include "integration/phi2/engine/random_rotations.hpp"
#include "kernels/core/cpu.hpp"
#include "kernels/dense/panels.hpp"
#include "tests/integration/engine/fixture.hpp"

namespace trisect::phi2 {
namespace {

constexpr const char* kFixture = "head80_bf16";

Engine engine_of(Dtype dtype, std::optional<LarosaMode> mode = {}) {
  Weights weights = load_fixture(kFixture, dtype);
  if (!mode) return {std::move(weights), EngineOptions()};
  RotationInfo info;
  info.kind = RotationKind::kGlobal;
  info.space = *mode == LarosaMode::kMerged ? kCentredSpace : kLayernormSpace;
  EngineOptions options;
  options.larosa = {.mode = *mode, .rotation = info.kind, .sparsity_permille = 400};
  const auto rotations = random_rotations(weights.config, info, 11);
  return {std::move(weights), options, rotations.get()};
}

class DenseLayout : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const Availability yes = dense::panels_run(Dtype::kBf16); !yes) GTEST_SKIP() << yes.why_not;
  }
  void TearDown() override { deny_avx512_bf16_for_test(false); }
};

TEST_F(DenseLayout, PanelsAreForWhatOnlyDenseProductsRead) {
  const auto layouts = [](const Engine& engine) {
    const LayerWeights& layer = engine.weights().layers.back();
    return std::array{engine.weights().head.in_panels, layer.qkvh.in_panels, layer.out.in_panels};
  };
  const std::array all{true, true, true}, head{true, false, false}, none{false, false, false};
  EXPECT_EQ(layouts(engine_of(Dtype::kBf16)), all);
  EXPECT_EQ(layouts(engine_of(Dtype::kBf16, LarosaMode::kNaive)), all);
  EXPECT_EQ(layouts(engine_of(Dtype::kBf16, LarosaMode::kOnline)), head);
  EXPECT_EQ(layouts(engine_of(Dtype::kBf16, LarosaMode::kMerged)), head);
  EXPECT_EQ(layouts(engine_of(Dtype::kF32)), none);
  EXPECT_EQ(engine_of(Dtype::kBf16).variants().at("dense/gemv"), "cpu_panels");
  EXPECT_EQ(engine_of(Dtype::kBf16).variants().at("dense/gemm"), "onednn_panels");
  EXPECT_EQ(engine_of(Dtype::kBf16, LarosaMode::kMerged).variants().at("dense/gemv"), "cpu_panels");
}

TEST_F(DenseLayout, LogitsAreThoseOfRows) {
  const ExpectedPrompt prompt = Expected(kFixture).prompts().front();
  const auto logits = [&](std::size_t block) {
    Engine engine = engine_of(Dtype::kBf16);
    Sequence sequence(engine, engine.context());
    return prefill(engine, sequence, prompt.ids, block);
  };
  deny_avx512_bf16_for_test(true);
  const Buffer rows = logits(1);
  deny_avx512_bf16_for_test(false);
  for (const std::size_t block : {1, 3, 8, 64})  // as decoding, as a batch does, as a prompt
    EXPECT_LT(distance(logits(block).view(), rows.view()), 1e-2) << block;
}

}  // namespace
}  // namespace trisect::phi2
