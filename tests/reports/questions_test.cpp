// Every rule of the questions: one case in which it speaks, one in which it is silent.
#include "reports/generator/questions.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/reports/samples.hpp"

namespace trisect::report {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

Results block(double online_us = 500, double naive_us = 1000) {
  std::vector<Row> rows = testing::block_rows(500, online_us, 300, 300, 200);
  for (auto [in, out, dense_us, rotated] :
       {std::tuple{2560, 17920, 700.0, true}, {12800, 2560, 500.0, false}}) {
    Row naive = testing::layer_row("naive", in, out, 500, naive_us, rotated);
    if (rotated) naive.stage_ns["rotate"] = testing::exactly(100e3);
    naive.stage_ns["product"] = testing::exactly(dense_us * 1e3);
    rows.push_back(naive);
  }
  for (Row& row : rows) {
    // Modes of a layer are in the group of its dense row.
    if (row.op == "larosa/layer") row.group = row.name.substr(row.name.find("/in:"));
  }
  return testing::results_of(rows);
}

Results with_sweep() {
  Results results = block();
  results.sweeps = {testing::quiet_sweep({testing::sweep_point("merged", "global", 500, 12),
                                          testing::sweep_point("online", "layer", 500, 11),
                                          testing::sweep_point("online", "layer", 500, 99, true)})};
  return results;
}

VocabularyRun vocabulary() {
  VocabularyRun run;
  run.origin = testing::quiet_origin("phi2 vocabulary", "vocabulary.json");
  run.model.name = "tiny";
  run.prompts = 1;
  run.seeds = 2;
  run.added = 5;
  run.temperature = 0.8;
  run.texts = {{"domain.txt", "abc", 1000, 200, 150, {0, 1}, {0, 1}}};
  VocabularySide base{"base", "", "", 10, false, 1, 1, {{"domain.txt", 1000, 200, 1, 1.0}}, {}},
      adapted{"adapted", "", "", 15, true, 1, 1, {{"domain.txt", 1000, 150, 1, 1.1}}, {}};
  base.samples = {{0, 0, 50, 200, 50, 1, false}, {0, 1, 50, 250, 50, 1, false}};
  adapted.samples = {{0, 0, 50, 300, 50, 1, false}, {0, 1, 50, 301, 50, 1, false}};
  run.sides = {base, adapted};
  return run;
}

Row gemv(const std::string& variant, double time_us) {
  Row row = testing::row("dense/gemv", variant, {{"in", 2560}, {"out", 17920}}, time_us);
  row.group = "dense/gemv/bf16/in:2560/out:17920";
  row.dtype = "bf16";
  row.weights = "cold";
  return row;
}

TEST(QuestionsTest, HowGoodTheDenseModelIs) {
  const std::vector<Row> rows{gemv("ref", 5000), gemv("onednn_packed", 1500), gemv("cpu_panels", 800),
                              gemv("cpu_fma", 1100), gemv("cpu_bf16", 1000)};
  EXPECT_THAT(answer_dense(testing::results_of(rows)),
              AllOf(HasSubstr("panels take 80.0 % of the rows' time"), HasSubstr("LaRoSA would look 1.25"),
                    HasSubstr("2560→17920"), HasSubstr("`cpu_panels`"), HasSubstr("`cpu_bf16`"),
                    HasSubstr("0.53×"), Not(HasSubstr("ref"))));
  EXPECT_THAT(answer_dense(testing::results_of({gemv("cpu_panels", 1001), rows[4]})),
              HasSubstr("rows would cost it nothing"));
  EXPECT_EQ(answer_dense(testing::results_of({rows[0], rows[3], rows[4]})), "") << "nothing is in panels";
  EXPECT_EQ(answer_dense({}), "");
}

TEST(QuestionsTest, WhetherLarosaPays) {
  const Results results = with_sweep();
  const std::string answer = answer_larosa(results, layers_of(results));
  EXPECT_THAT(
      answer,
      HasSubstr("At 50 % sparsity the fastest way is merged global: 2.00× (2.00–2.00) of dense's speed, at "
                "a perplexity of 12.0 (+20.0 % over dense's)."));
  EXPECT_THAT(answer, HasSubstr("| online "));
  EXPECT_THAT(answer, HasSubstr("11.0 (+10.0 %)"));
  EXPECT_THAT(answer, Not(HasSubstr("99"))) << "of a sparse prompt";
}

TEST(QuestionsTest, WhetherLarosaPaysWithoutAWinnerQualityOrBlock) {
  Results results = testing::results_of(testing::block_rows(500, 900, 900, 900));
  EXPECT_THAT(answer_larosa(results, layers_of(results)), HasSubstr("no way is judged faster than dense"));
  results = block();
  EXPECT_THAT(answer_larosa(results, layers_of(results)), HasSubstr("its price in quality was not measured"));
  results = testing::results_of({testing::layer_row("dense", 8, 4, 500, 10)});
  EXPECT_EQ(answer_larosa(results, layers_of(results)), "");
}

TEST(QuestionsTest, TheBoundOnAnH100IsAModelInItsOwnColumns) {
  Results results = block();
  const std::string answer = answer_h100(results, layers_of(results));
  // 2 × (2560 × 17920 + 12800 × 2560) bytes at 3350 GB/s.
  EXPECT_THAT(answer, AllOf(HasSubstr("Nothing here was measured on one."), HasSubstr("takes 47.0 µs"),
                            HasSubstr("measured on this CPU"), HasSubstr("model, H100: speed-up")));
  EXPECT_THAT(answer, HasSubstr("2.00×"));
  EXPECT_EQ(answer_h100({}, {}), "");
  results.runs[0].rows.push_back(testing::row("dense/gemv", "cuda_rows", {{"in", 8}}, 1));
  results.runs[0].rows.back().device = "cuda";
  EXPECT_THAT(answer_h100(results, layers_of(results)),
              AllOf(Not(HasSubstr("Nothing here was measured")), HasSubstr("CPU and GPU side by side")));
}

TEST(QuestionsTest, WhatVattentionSavesAndCosts) {
  Results results;
  results.traces = {testing::quiet_trace("a", 1e6, {{"static", 4e6, 1.05}, {"paged", 1e6, 0.90}}),
                    testing::quiet_trace("b", 1e6, {{"static", 2e6, 1.00}})};
  const std::string answer = answer_vattention(results);
  EXPECT_THAT(answer, AllOf(HasSubstr("+50.0 % to +75.0 %"), HasSubstr("1.00× to 1.05×")));
  EXPECT_THAT(answer, HasSubstr("| `paged` "));
  results.traces[1].granule_bytes = 2e6;
  EXPECT_THAT(answer_vattention(results), AllOf(Not(HasSubstr("+50.0 % to +75.0 %")), HasSubstr("2.00 MB")))
      << "granules of two sizes are not thrown together";
  EXPECT_EQ(answer_vattention({}), "");
}

TEST(QuestionsTest, WhatAdaptivocabSavesAndAtWhatQuality) {
  Results results;
  results.vocabularies = {vocabulary()};
  EXPECT_THAT(answer_adaptivocab(results), AllOf(HasSubstr("-25.0 %"), HasSubstr("1.1000 (+10.0 %)")));
  EXPECT_EQ(answer_adaptivocab({}), "");
}

TEST(QuestionsTest, WhyNotFaster) {
  Results results = block();
  EXPECT_THAT(
      answer_why_not_faster(layers_of(results)),
      AllOf(HasSubstr("multiplies by every weight"), HasSubstr("at 50 % sparsity its product takes 1200 µs"),
            HasSubstr("adds 100 µs"), HasSubstr("0.60×")));
  results = block(500, 300);
  EXPECT_EQ(answer_why_not_faster(layers_of(results)), "") << "it is faster here";
  results = testing::results_of(testing::block_rows(500, 500, 300, 300));
  EXPECT_EQ(answer_why_not_faster(layers_of(results)), "") << "naive was not measured";
}

TEST(QuestionsTest, WhyMoreMemory) {
  Results results;
  results.traces = {testing::quiet_trace("a", 1e6, {{"static", 4e6, 1}, {"tracked", 4e6, 1}})};
  EXPECT_THAT(answer_why_more_memory(results, {}),
              AllOf(HasSubstr("on a, `tracked`, which only counts pages, committed 4.00 MB"),
                    HasSubstr("`vattention`, which maps them, 1.00 MB")));
  results.traces = {testing::quiet_trace("a", 1e6, {{"static", 4e6, 1}, {"tracked", 2e6, 1}})};
  EXPECT_EQ(answer_why_more_memory(results, {}), "") << "books that saved something";
  const Results rotations = block();
  EXPECT_THAT(answer_why_more_memory(rotations, layers_of(rotations)),
              HasSubstr("read twice, 26.2 MB more than dense's 157 MB"));
}

TEST(QuestionsTest, WhyMoreTokens) {
  Results results;
  results.vocabularies = {vocabulary()};
  EXPECT_THAT(answer_why_more_tokens(results), HasSubstr("a token stood for 4.00 to 5.00 characters"));
  results.vocabularies[0].seeds = 1;
  EXPECT_EQ(answer_why_more_tokens(results), "") << "one seed shows no chance";
  results.vocabularies[0] = vocabulary();
  results.vocabularies[0].sides[0].samples[1].characters_out = 200;
  EXPECT_EQ(answer_why_more_tokens(results), "") << "seeds that agree";
}

TEST(QuestionsTest, WhatTheyBringTogether) {
  Results results;
  results.comparisons = {testing::quiet_compare()};
  const std::string answer = answer_together(results);
  EXPECT_THAT(answer, AllOf(HasSubstr("| tiny "), HasSubstr("1.00× (1.00–1.00)"), HasSubstr("| larosa ")));
  results.comparisons[0].sides.resize(1);
  EXPECT_EQ(answer_together(results), "") << "a baseline alone";
  EXPECT_EQ(answer_together({}), "");
}

TEST(QuestionsTest, TheSectionHasWhatThereIsAnAnswerTo) {
  EXPECT_EQ(questions_section({}, {}), "");
  Results results;
  results.vocabularies = {vocabulary()};
  const std::string text = questions_section(results, {});
  EXPECT_THAT(
      text, AllOf(HasSubstr("## Questions"),
                  HasSubstr("### What does AdaptiVocab save, and at what quality?"), Not(HasSubstr("H100"))));
}

}  // namespace
}  // namespace trisect::report
