#include "reports/generator/compare_figures.hpp"

#include <gtest/gtest.h>

#include "tests/reports/samples.hpp"

namespace trisect::report {
namespace {

TEST(CompareFiguresTest, SamplesAreRepetitionsOverAllPrompts) {
  Side side;
  for (int repetition = 0; repetition < 3; ++repetition) {
    for (int prompt = 0; prompt < 2; ++prompt) {
      const double step = 0.1 * (repetition + 1);
      side.generations.push_back({prompt, repetition, 4 + prompt, 3, 0.5, 2 * step, {step, step}, ""});
    }
  }
  const SideFigures figures = figures_of(side, 2);
  EXPECT_EQ(figures.total->samples, 3);
  EXPECT_DOUBLE_EQ(figures.prefill->median, 1);
  EXPECT_DOUBLE_EQ(figures.decode->median, 0.8);
  EXPECT_DOUBLE_EQ(figures.total->median, 1.8);
  EXPECT_DOUBLE_EQ(figures.tokens_in, 9);
  EXPECT_DOUBLE_EQ(figures.tokens_out, 6);
  EXPECT_DOUBLE_EQ(figures.decode_steps, 4);
  EXPECT_DOUBLE_EQ(*figures.decode_rate(), 5);
  EXPECT_DOUBLE_EQ(*figures.whole_rate(), 6 / 1.8);
  EXPECT_EQ(figures.token->samples, 12);
  EXPECT_NEAR(*figures.token_p99, 0.3, 1e-12);
  EXPECT_FALSE(figures.load);
}

TEST(CompareFiguresTest, ARepetitionCutShortDoesNotCount) {
  Side side;
  side.generations = {{0, 0, 1, 1, 1, 1, {1}, ""}, {1, 0, 1, 1, 1, 1, {1}, ""}, {0, 1, 1, 1, 1, 1, {1}, ""}};
  EXPECT_EQ(figures_of(side, 2).total->samples, 1);
  EXPECT_FALSE(figures_of(Side{}, 2).total);
  EXPECT_FALSE(figures_of(Side{}, 2).decode_rate());
}

TEST(CompareFiguresTest, ChangesAreJudged) {
  CompareRun run = testing::quiet_compare();
  testing::stretch_decode(run.optimized, 0.5);
  const CompareFigures figures = figures_of(run);
  EXPECT_EQ(figures.decode->verdict, Verdict::kFaster);
  EXPECT_NEAR(figures.decode->ratio.centre, 2, 1e-9);
  EXPECT_EQ(figures.prefill->verdict, Verdict::kSame);
  EXPECT_EQ(figures.load->verdict, Verdict::kSame);
  run.optimized.generations.clear();
  EXPECT_FALSE(figures_of(run).decode);
}

TEST(CompareFiguresTest, StagesInOrderWithoutEmptyOnes) {
  CompareRun run;
  run.baseline.decode_steps = 2;
  run.baseline.stages_s = {{"head", 1}, {"in_product", 2}, {"scatter", 0}};
  run.optimized.stages_s = {{"rotate", 1}, {"a_new_stage", 1}};
  EXPECT_EQ(stages_of(run), (std::vector<std::string>{"rotate", "in_product", "head", "a_new_stage"}));
  EXPECT_DOUBLE_EQ(stage_s(run.baseline, "head"), 0.5);
  EXPECT_DOUBLE_EQ(all_stages_s(run.baseline), 1.5);
  EXPECT_DOUBLE_EQ(stage_s(run.optimized, "rotate"), 0) << "no decode step, no time a step";
}

}  // namespace
}  // namespace trisect::report
