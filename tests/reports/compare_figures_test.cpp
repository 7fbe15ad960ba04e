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
  testing::stretch_decode(run.sides[1], 0.5);
  const CompareFigures figures = figures_of(run, run.sides[1]);
  EXPECT_EQ(figures.decode->verdict, Verdict::kFaster);
  EXPECT_NEAR(figures.decode->ratio.centre, 2, 1e-9);
  EXPECT_EQ(figures.prefill->verdict, Verdict::kSame);
  EXPECT_EQ(figures.load->verdict, Verdict::kSame);
  run.sides[1].generations.clear();
  EXPECT_FALSE(figures_of(run, run.sides[1]).decode);
}

TEST(CompareFiguresTest, SidesAreComparedWhereBothHaveRepetitions) {
  CompareRun run = testing::quiet_compare();
  // The second group of sides was measured when the machine had become twice as slow.
  Side late = testing::quiet_side({kAdaptivocab});
  for (Generation& generation : late.generations) generation.repetition += 3;
  testing::stretch_decode(late, 2);
  Side& base = run.sides[0];
  base.generations.insert(base.generations.end(), late.generations.begin(), late.generations.end());
  run.sides.push_back(late);
  EXPECT_NEAR(figures_of(run, run.sides[1]).decode->ratio.centre, 1, 1e-9);
  EXPECT_NEAR(figures_of(run, run.sides[2]).decode->ratio.centre, 1, 1e-9);
  EXPECT_NEAR(figures_of(run, run.sides[2]).speed->ratio.centre, 1, 1e-9);
}

TEST(CompareFiguresTest, SpeedIsOfCharactersAndPaired) {
  CompareRun run = testing::quiet_compare();
  for (Side& side : run.sides) {
    const Generation one = side.generations[0];
    side.generations.clear();
    for (int repetition = 0; repetition < 9; ++repetition) {
      side.generations.push_back(one);
      side.generations.back().repetition = repetition;
      side.generations.back().characters_out = 100;
    }
    // What slows a repetition slows both sides of it.
    for (std::size_t i = 0; i < 4; ++i) side.generations[i].decode_s *= 10;
  }
  EXPECT_EQ(figures_of(run, run.sides[1]).speed->verdict, Verdict::kSame);
  for (Generation& generation : run.sides[1].generations) generation.characters_out = 150;
  const Change speed = *figures_of(run, run.sides[1]).speed;
  EXPECT_NEAR(speed.ratio.centre, 1.5, 1e-9);
  EXPECT_EQ(speed.verdict, Verdict::kFaster);
  EXPECT_DOUBLE_EQ(*steps_per_1000_characters(figures_of(run.sides[0], 1)), 100);
}

TEST(CompareFiguresTest, ProductOfParts) {
  CompareRun run = testing::quiet_compare();
  run.sides.push_back(testing::quiet_side({kAdaptivocab}));
  run.sides.push_back(testing::quiet_side({kLarosa, kAdaptivocab}));
  for (std::size_t side : {1u, 2u}) {
    for (Generation& generation : run.sides[side].generations) generation.tokens_out *= 2;
  }
  EXPECT_NEAR(*product_of_parts(run, run.sides[3]), 4, 1e-9);
  EXPECT_FALSE(product_of_parts(run, run.sides[1])) << "one part is no product";
  run.sides.erase(run.sides.begin() + 1);
  EXPECT_FALSE(product_of_parts(run, run.sides[2])) << "LaRoSA was not measured alone";
}

TEST(CompareFiguresTest, StagesInOrderWithoutEmptyOnes) {
  CompareRun run;
  run.sides.resize(2);
  run.sides[0].generations.push_back({0, 0, 1, 3, 1, 2, {1, 1}, ""});
  run.sides[0].generations[0].stages_s = {{"head", 1}, {"in_product", 2}, {"scatter", 0}};
  run.sides[1].generations.push_back({0, 0, 1, 1, 1, 0, {}, ""});
  run.sides[1].generations[0].stages_s = {{"rotate", 1}, {"a_new_stage", 1}};
  EXPECT_EQ(stages_of(run), (std::vector<std::string>{"rotate", "in_product", "head", "a_new_stage"}));
  EXPECT_DOUBLE_EQ(stage_s(run.sides[0], "head"), 0.5);
  EXPECT_DOUBLE_EQ(all_stages_s(run.sides[0]), 1.5);
  EXPECT_DOUBLE_EQ(stage_s(run.sides[1], "rotate"), 0) << "no decode step, no time a step";
}

}  // namespace
}  // namespace trisect::report
