// Text walks and what is measured on them, against what transformers' logits say.
#include "integration/phi2/engine/divergence.hpp"

#include <cmath>

#include "integration/phi2/engine/random_rotations.hpp"
#include "kernels/dense/sampling.hpp"
#include "tests/integration/engine/fixture.hpp"

namespace trisect::phi2 {
namespace {

constexpr const char* kFixture = "head32_f32";

class DivergenceTest : public ::testing::Test {
 protected:
  static std::vector<std::int32_t> ids(int count) {
    std::vector<std::int32_t> result(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < result.size(); ++i)
      result[i] = static_cast<std::int32_t>(random_bits(9, i) % 50);
    return result;
  }
  Engine dense_{load_fixture(kFixture, Dtype::kF32), {}};
};

TEST_F(DivergenceTest, WalksSeeEveryTokenAfterThePromptThatAnotherFollows) {
  const auto text = ids(37);
  for (const auto& [window, prompt, predicted] :
       {std::tuple{16, 0, 15 + 15 + 4}, {16, 5, 10 + 10}, {16, 3, 12 + 12 + 1}, {16, 14, 1 + 1}}) {
    const TextWalk plan{.ids = text, .window = window, .prompt = prompt};
    std::vector<std::int32_t> seen;
    EXPECT_TRUE(
        walk(dense_, plan, [&](std::int64_t first, const View& logits, std::span<const std::int32_t> next) {
          EXPECT_EQ(first, static_cast<std::int64_t>(seen.size()));
          EXPECT_EQ(logits.rows, static_cast<std::int64_t>(next.size()));
          seen.insert(seen.end(), next.begin(), next.end());
        }));
    EXPECT_EQ(static_cast<int>(seen.size()), predicted);
    EXPECT_EQ(plan.predicted(dense_.context()), predicted);
    EXPECT_EQ(seen.front(), text[static_cast<std::size_t>(prompt) + 1]);
  }
  const auto ignore = [](std::int64_t, const View&, std::span<const std::int32_t>) {};
  EXPECT_THROW(walk(dense_, {.ids = text, .window = 16, .prompt = 15}, ignore), Error);
  EXPECT_THROW(walk(dense_, {.ids = std::span(text).first(6), .window = 16, .prompt = 5}, ignore), Error);
}

TEST_F(DivergenceTest, OfAModelToItselfIsNone) {
  const auto text = ids(40);
  const Reference reference(dense_, {.ids = text, .window = 20, .prompt = 4});
  Engine again(load_fixture(kFixture, Dtype::kF32), {});
  const Divergence none = reference.compare(again, true);
  EXPECT_EQ(none.predicted, reference.dense().predicted);
  EXPECT_NEAR(none.nll, reference.dense().nll, 1e-3);
  EXPECT_NEAR(none.mean_kl(), 0, 1e-6);
  EXPECT_EQ(none.agreement(), 1);
}

/// The three figures from their definitions, one token after the other.
TEST_F(DivergenceTest, IsWhatItsDefinitionSays) {
  const auto text = ids(24);
  RotationInfo info;
  info.kind = RotationKind::kRandom;
  EngineOptions options;
  options.larosa = {.rotation = RotationKind::kRandom, .sparsity_permille = 600};
  const auto q = random_rotations(dense_.config(), info, 1);
  Engine sparse(load_fixture(kFixture, Dtype::kF32), options, q.get());
  const int prompt = 8;
  const auto logits = [&](Engine& engine) {
    Sequence sequence(engine, engine.context());
    Buffer all(Dtype::kF32, 24, engine.config().vocab);
    sequence.step(std::span(text).first(prompt), {});  // LaRoSA leaves prefill dense
    for (std::size_t i = prompt; i < text.size(); ++i) {
      sequence.step({&text[i], 1}, all.view().rows_from(static_cast<std::int64_t>(i), 1));
    }
    return all;
  };
  const Buffer p = logits(dense_), s = logits(sparse);
  Divergence want;
  for (std::int64_t i = prompt; i + 1 < 24; ++i) {
    const auto width = static_cast<std::size_t>(p.view().cols);
    const std::span<const float> a(p.view().row<float>(i), width), b(s.view().row<float>(i), width);
    want.nll -= dense::log_softmax(b, text[static_cast<std::size_t>(i) + 1]);
    for (int id = 0; id < static_cast<int>(width); ++id) {
      const double log_a = dense::log_softmax(a, id);
      want.kl += std::exp(log_a) * (log_a - dense::log_softmax(b, id));
    }
    want.agreeing +=
        std::max_element(a.begin(), a.end()) - a.begin() == std::max_element(b.begin(), b.end()) - b.begin();
    ++want.predicted;
  }
  const Reference reference(dense_, {.ids = text, .window = 24, .prompt = prompt});
  const Divergence got = reference.compare(sparse, false);
  EXPECT_EQ(got.predicted, want.predicted);
  EXPECT_NEAR(got.nll, want.nll, 1e-3 * want.nll);
  EXPECT_NEAR(got.kl, want.kl, 1e-2 * want.kl);
  EXPECT_EQ(got.agreeing, want.agreeing);
  EXPECT_GT(want.kl, 0);
  EXPECT_GT(std::abs(reference.compare(sparse, true).kl - got.kl), 1e-3 * got.kl)
      << "a sparse prompt is another";
  EXPECT_FALSE(sparse.larosa()->prefill) << "the engine's own choice is put back";
}

}  // namespace
}  // namespace trisect::phi2
