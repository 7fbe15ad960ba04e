#include "integration/phi2/engine/generate.hpp"

#include <cmath>

#include "integration/phi2/engine/evaluate.hpp"
#include "tests/integration/engine/fixture.hpp"

namespace trisect::phi2 {
namespace {

constexpr const char* kFixture = "head32_f32";

class Generate : public ::testing::Test {
 protected:
  Engine engine_{load_fixture(kFixture, Dtype::kF32), {}};
  Expected expected_{kFixture};
};

TEST_F(Generate, GreedyEqualsTransformersAndIsSeenAsItIsChosen) {
  for (const ExpectedPrompt& prompt : expected_.prompts()) {
    std::vector<std::int32_t> seen;
    const Generation result = generate(engine_, prompt.ids, {.max_new_tokens = 16}, [&](auto id) { seen.push_back(id); });
    EXPECT_EQ(result.ids, prompt.greedy);
    EXPECT_EQ(seen, prompt.greedy);
    EXPECT_EQ(result.token_s.size(), 15u);
    EXPECT_EQ(result.finish, Finish::kLength);
  }
}

TEST_F(Generate, SmallPrefillBlocksGiveTheSameIds) {
  EngineOptions options;
  options.max_rows = 7;
  Engine engine(load_fixture(kFixture, Dtype::kF32), options);
  const ExpectedPrompt& prompt = expected_.prompts().back();
  EXPECT_EQ(generate(engine, prompt.ids, {.max_new_tokens = 16}).ids, prompt.greedy);
}

TEST_F(Generate, StopsAtTheEndOfTextAndLeavesItOut) {
  const ExpectedPrompt& prompt = expected_.prompts()[1];
  GenerateOptions options{.max_new_tokens = 16};
  options.end_of_text = prompt.greedy[3];
  const auto first = std::find(prompt.greedy.begin(), prompt.greedy.end(), prompt.greedy[3]);
  const Generation result = generate(engine_, prompt.ids, options);
  EXPECT_EQ(result.finish, Finish::kEndOfText);
  EXPECT_EQ(result.ids, std::vector<std::int32_t>(prompt.greedy.begin(), first));
}

TEST_F(Generate, WritesTheTextThatIsForcedOnIt) {
  const std::vector<std::int32_t> text{5, 9, 2, 7, 7, 1};
  GenerateOptions options{.max_new_tokens = 100, .forced = text};
  options.end_of_text = text[2];
  const Generation result = generate(engine_, expected_.prompts()[1].ids, options);
  EXPECT_EQ(result.ids, text);
  EXPECT_EQ(result.token_s.size(), text.size() - 1);
  EXPECT_EQ(result.finish, Finish::kLength);
  options.max_new_tokens = 2;
  EXPECT_EQ(generate(engine_, expected_.prompts()[1].ids, options).ids, std::vector(text.begin(), text.begin() + 2));
}

TEST_F(Generate, DrawsOnlyFromTheVocabularyInUse) {
  const Generation result =
      generate(engine_, expected_.prompts()[1].ids,
               {.max_new_tokens = 40, .sampling = {.temperature = 5.0f, .seed = 3}, .vocabulary = 10});
  EXPECT_EQ(result.ids.size(), 40u);
  EXPECT_LT(*std::max_element(result.ids.begin(), result.ids.end()), 10);
}

TEST_F(Generate, SeedsRepeatAndDiffer) {
  const auto draw = [&](Seed seed) {
    return generate(engine_, expected_.prompts()[1].ids,
                    {.max_new_tokens = 24, .sampling = {.temperature = 2.0f, .seed = seed}}).ids;
  };
  EXPECT_EQ(draw(1), draw(1));
  EXPECT_NE(draw(1), draw(2));
}

TEST_F(Generate, RefusesWhatCannotBe) {
  const std::vector<std::int32_t> ids{1, 2, 3}, beyond{1, engine_.config().vocab}, none;
  EXPECT_THROW(generate(engine_, none, {}), Error);
  EXPECT_THROW(generate(engine_, beyond, {.max_new_tokens = 2}), Error);
  EXPECT_THROW(generate(engine_, ids, {.max_new_tokens = engine_.context()}), Error);
  EXPECT_THROW(generate(engine_, ids, {.max_new_tokens = 0}), Error);
  EXPECT_EQ(generate(engine_, ids, {.max_new_tokens = 2}).ids.size(), 2u) << "a refused request must not keep its slot";
}

TEST_F(Generate, EvaluationPredictsAllButTheFirstTokenOfEachWindow) {
  const ExpectedPrompt& prompt = expected_.prompts().back();
  double nll = 0;
  for (std::size_t i = 0; i + 1 < prompt.ids.size(); ++i) {
    const std::span<const float> row(prompt.prefill.row<float>(static_cast<std::int64_t>(i)),
                                     static_cast<std::size_t>(prompt.prefill.cols));
    nll -= dense::log_softmax(row, prompt.ids[i + 1]);
  }
  const Quality whole = evaluate(engine_, prompt.ids);
  EXPECT_EQ(whole.predicted, static_cast<std::int64_t>(prompt.ids.size()) - 1);
  EXPECT_NEAR(whole.nll, nll, 1e-3 * nll);
  EXPECT_NEAR(whole.perplexity(), std::exp(nll / static_cast<double>(whole.predicted)), 1e-2 * whole.perplexity());

  const Quality cut = evaluate(engine_, std::span(prompt.ids).first(33), 16);  // 16 + 16 + 1, the last left out
  EXPECT_EQ(cut.predicted, 30);
  EXPECT_THROW(evaluate(engine_, std::span(prompt.ids).first(1)), Error);
}

}  // namespace
}  // namespace trisect::phi2
