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
