#include "integration/runner/prompts.hpp"

#include <gtest/gtest.h>

#include "kernels/core/error.hpp"

namespace trisect::runner {
namespace {

Model model_without_tokenizer() {
  Model model;
  model.source.config.vocab = 50;
  model.source.config.positions = 100;
  return model;
}

TEST(Prompts, RandomIdsForModelsWithoutTokenizer) {
  const Model model = model_without_tokenizer();
  const auto prompts = read_prompts({}, model, 1);
  ASSERT_EQ(prompts.size(), 1);
  EXPECT_EQ(prompts[0].ids.size(), 16);
  for (const std::int32_t id : prompts[0].ids) EXPECT_TRUE(id >= 0 && id < 50);
  EXPECT_EQ(read_prompts({}, model, 1)[0].ids, prompts[0].ids);
  EXPECT_NE(read_prompts({}, model, 2)[0].ids, prompts[0].ids);
  EXPECT_THROW(read_prompts({.text = "hello", .file = "", .random_tokens = 0}, model, 1), Error);
}

TEST(Passages, AreSpreadAndCutBetweenWords) {
  std::string text;
  for (int word = 0; word < 400; ++word)
    text += fmt::format("word{:03}{}", word, word % 10 == 9 ? "\n" : " ");
  PromptOptions options;
  options.passages = 3;
  options.passage_characters = 600;
  const std::vector<Passage> passages = passages_of(text, options);
  ASSERT_EQ(passages.size(), 3);
  std::size_t from = 0;
  for (const Passage& passage : passages) {
    const std::size_t at = text.find(passage.prompt + passage.answer, from);
    ASSERT_NE(at, text.npos) << "prompt and answer follow each other in the text, passages do not overlap";
    from = at + passage.prompt.size() + passage.answer.size();
    EXPECT_NEAR(static_cast<double>(passage.prompt.size()), 100, 10);
    EXPECT_NEAR(static_cast<double>(passage.prompt.size() + passage.answer.size()), 600, 10);
    EXPECT_TRUE(passage.answer.starts_with(' ') || passage.answer.starts_with('\n'));
  }
  options.passages = 6;
  EXPECT_THROW(passages_of(text, options), Error) << "six of 600 do not fit into 3200";
}

TEST(Context, HasRoomForGivenAnswers) {
  const phi2::Config config = model_without_tokenizer().source.config;
  const std::vector<Prompt> prompts{{"", std::vector<std::int32_t>(10), std::vector<std::int32_t>(60)}};
  SamplingOptions sampling;
  sampling.max_new_tokens = 1000;
  EXPECT_EQ(context_for(prompts, sampling, config), 70);
}

TEST(Context, IsAsLongAsTheLongestPromptNeeds) {
  const phi2::Config config = model_without_tokenizer().source.config;
  const std::vector<Prompt> prompts{{"", std::vector<std::int32_t>(10)}, {"", std::vector<std::int32_t>(30)}};
  SamplingOptions sampling;
  sampling.max_new_tokens = 20;
  EXPECT_EQ(context_for(prompts, sampling, config), 50);
  sampling.context = 80;
  EXPECT_EQ(context_for(prompts, sampling, config), 80);
  sampling.context = 49;
  EXPECT_THROW(context_for(prompts, sampling, config), Error);
  sampling.context = 101;
  EXPECT_THROW(context_for(prompts, sampling, config), Error);
  sampling = {};
  sampling.max_new_tokens = 70;
  EXPECT_EQ(context_for(prompts, sampling, config), 100);
  sampling.max_new_tokens = 71;
  EXPECT_THROW(context_for(prompts, sampling, config), Error);
}

}  // namespace
}  // namespace trisect::runner
