// Every rule once where it must speak, with its numbers, and once where it must not.
#include "reports/generator/why.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "tests/reports/samples.hpp"

namespace trisect::report {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Optional;

class WhyTest : public ::testing::Test {
 protected:
  Finding apply(Finding (*rule)(const WhyFacts&)) const {
    return rule({run, figures_of(run), layers_of(results)});
  }

  CompareRun run = testing::quiet_compare();
  Results results;
};

TEST_F(WhyTest, EveryRuleIsListedOnce) {
  std::set<std::string> names;
  std::size_t rules = 0;
  for (const Question& question : questions()) {
    for (const Rule& rule : question.rules) {
      names.insert(rule.name);
      ++rules;
    }
  }
  EXPECT_EQ(rules, 19u);
  EXPECT_EQ(names.size(), rules);
}

TEST_F(WhyTest, WithinNoise) {
  EXPECT_THAT(apply(why::within_noise), Optional(AllOf(HasSubstr("1.00×"), HasSubstr("the same"))));
  run.optimized.generations[0].decode_s *= 0.5;
  run.optimized.generations[1].decode_s *= 2;
  EXPECT_THAT(apply(why::within_noise), Optional(HasSubstr("cannot tell")));
  run = testing::quiet_compare();
  testing::stretch_decode(run.optimized, 0.5);
  EXPECT_EQ(apply(why::within_noise), std::nullopt);
}

TEST_F(WhyTest, OverheadAndSaving) {
  EXPECT_EQ(apply(why::overhead_and_saving), std::nullopt);
  run.optimized.stages_s = {
      {"rotate", 0.003}, {"select", 0.003}, {"in_product", 0.009}, {"out_product", 0.003}};
  EXPECT_THAT(apply(why::overhead_and_saving),
              Optional(AllOf(HasSubstr("cost 200 µs"), HasSubstr("400 µs shorter"),
                             HasSubstr("larger than the overhead, by 200 µs"))));
  run.optimized.stages_s["rotate"] = 0.012;
  EXPECT_THAT(apply(why::overhead_and_saving),
              Optional(AllOf(HasSubstr("cost 500 µs"), HasSubstr("larger than the saving, by 100 µs"),
                             HasSubstr("What helps"))));
  run.optimized.stages_s["in_product"] = 0.03;
  EXPECT_THAT(apply(why::overhead_and_saving),
              Optional(AllOf(HasSubstr("300 µs longer"), HasSubstr("by 800 µs"))));
}

TEST_F(WhyTest, NaiveReadsEverything) {
  EXPECT_EQ(apply(why::naive_reads_everything), std::nullopt);
  run.settings.larosa_mode = "naive";
  EXPECT_THAT(apply(why::naive_reads_everything), Optional(HasSubstr("Use mode online")));
}

TEST_F(WhyTest, FitsInCache) {
  EXPECT_EQ(apply(why::fits_in_cache), std::nullopt);
  run.baseline.memory->weights = 0.5e6;
  EXPECT_THAT(apply(why::fits_in_cache), Optional(AllOf(HasSubstr("500 kB"), HasSubstr("1.00 MB"))));
  run.origin.environment.llc_bytes.reset();
  EXPECT_EQ(apply(why::fits_in_cache), std::nullopt);
  run.baseline.memory.reset();
  EXPECT_EQ(apply(why::fits_in_cache), std::nullopt);
}

TEST_F(WhyTest, BelowBandwidth) {
  EXPECT_EQ(apply(why::below_bandwidth), std::nullopt);
  run.baseline.weight_bytes_per_token = 3e6;  // at 1000 tokens/s
  EXPECT_THAT(apply(why::below_bandwidth), Optional(AllOf(HasSubstr("30.0 %"), HasSubstr("10.0 GB/s"))));
  run.baseline.memory->weights = 0.5e6;
  EXPECT_EQ(apply(why::below_bandwidth), std::nullopt)
      << "what fits in the cache does not read memory at all";
  run.baseline.memory->weights = 80e6;
  run.probe_gbps.reset();
  EXPECT_EQ(apply(why::below_bandwidth), std::nullopt);
}

TEST_F(WhyTest, PrefillDominates) {
  EXPECT_EQ(apply(why::prefill_dominates), std::nullopt);
  for (Generation& generation : run.baseline.generations) generation.prefill_s = 0.03;
  EXPECT_THAT(apply(why::prefill_dominates), Optional(AllOf(HasSubstr("75.0 %"), HasSubstr("1.33×"))));
  run.baseline.generations.clear();
  EXPECT_EQ(apply(why::prefill_dominates), std::nullopt);
}

TEST_F(WhyTest, ProductsAreMinor) {
  EXPECT_EQ(apply(why::products_are_minor), std::nullopt);
  run.baseline.stages_s["attention"] = 0.072;
  EXPECT_THAT(apply(why::products_are_minor), Optional(AllOf(HasSubstr("25.0 %"), HasSubstr("1.33×"))));
  run.baseline.stages_s.clear();
  EXPECT_EQ(apply(why::products_are_minor), std::nullopt);
}

TEST_F(WhyTest, Stalled) {
  EXPECT_EQ(apply(why::stalled), std::nullopt);
  run.optimized.generations[0].token_s[0] = 0.1;
  EXPECT_THAT(apply(why::stalled),
              Optional(AllOf(HasSubstr("100 ms"), HasSubstr("1.00 ms"), HasSubstr("(same)"))));
  run.baseline.generations.clear();
  EXPECT_EQ(apply(why::stalled), std::nullopt);
}

TEST_F(WhyTest, LongerLoad) {
  EXPECT_EQ(apply(why::longer_load), std::nullopt);
  run.optimized.load_s = {2, 2, 2};
  EXPECT_THAT(apply(why::longer_load), Optional(AllOf(HasSubstr("1.00 s longer"), HasSubstr("does not earn"),
                                                      Not(HasSubstr("seldom")))));
  testing::stretch_decode(run.optimized, 0.5);
  EXPECT_THAT(apply(why::longer_load), Optional(HasSubstr("after 2000 tokens")));
  run.optimized.load_s = {2};
  EXPECT_THAT(apply(why::longer_load), Optional(HasSubstr("seldom")));
  run.optimized.load_s = {0.5};
  EXPECT_EQ(apply(why::longer_load), std::nullopt);
}

TEST_F(WhyTest, LargerLayers) {
  EXPECT_EQ(apply(why::larger_layers), std::nullopt);
  results = testing::results_of(
      {testing::layer_row("dense", 640, 64, 500, 10), testing::layer_row("online", 640, 64, 500, 5),
       testing::layer_row("dense", 640, 64, 0, 10), testing::layer_row("online", 640, 64, 0, 20)});
  EXPECT_THAT(apply(why::larger_layers), Optional(AllOf(HasSubstr("640→64"), HasSubstr("2.00×"),
                                                        HasSubstr("50 %"), HasSubstr("faster"))));
  run.model.hidden = 640;
  EXPECT_EQ(apply(why::larger_layers), std::nullopt);
  run.model.hidden = 64;
  run.settings.dtype = "f32";
  EXPECT_EQ(apply(why::larger_layers), std::nullopt);
}

TEST_F(WhyTest, LargerLayersOfMerged) {
  run.settings.larosa_mode = "merged";
  results = testing::results_of(
      {testing::layer_row("dense", 640, 64, 500, 10), testing::layer_row("online", 640, 64, 500, 2)});
  EXPECT_EQ(apply(why::larger_layers), std::nullopt) << "merged rotates nothing";
  results = testing::results_of({testing::layer_row("dense", 640, 64, 500, 10, false),
                                 testing::layer_row("online", 640, 64, 500, 5, false)});
  EXPECT_THAT(apply(why::larger_layers),
              Optional(AllOf(HasSubstr("what mode merged runs"), HasSubstr("2.00×"))));
}

TEST_F(WhyTest, MemoryRose) {
  EXPECT_EQ(apply(why::memory_rose), std::nullopt);
  run.optimized.memory->rotations = 8e6;
  run.optimized.memory->peak = 110e6;
  EXPECT_THAT(apply(why::memory_rose),
              Optional(AllOf(HasSubstr("+10.0 %"), HasSubstr("rotations +8.00 MB"),
                             HasSubstr("80.0 % of the rise"), Not(HasSubstr("for a moment")))));
  run.optimized.memory->rotations = 1e6;
  EXPECT_THAT(apply(why::memory_rose),
              Optional(AllOf(HasSubstr("for a moment"), Not(HasSubstr("of the rise")))));
  run.baseline.memory.reset();
  EXPECT_EQ(apply(why::memory_rose), std::nullopt);
}

TEST_F(WhyTest, MemoryFell) {
  EXPECT_EQ(apply(why::memory_fell), std::nullopt);
  run.optimized.memory->kv = 0.5e6;
  run.optimized.memory->scratch = 11e6;
  run.optimized.memory->peak = 80e6;
  EXPECT_THAT(apply(why::memory_fell), Optional(AllOf(HasSubstr("-20.0 %"), HasSubstr("scratch +10.0 MB"),
                                                      Not(HasSubstr("KV cache")))));
}

TEST_F(WhyTest, MemoryHeld) {
  EXPECT_THAT(apply(why::memory_held), Optional(HasSubstr("100 MB and 100 MB")));
  run.optimized.memory->peak = 102e6;
  EXPECT_EQ(apply(why::memory_held), std::nullopt);
}

TEST_F(WhyTest, SameTokens) {
  EXPECT_THAT(apply(why::same_tokens),
              Optional(AllOf(HasSubstr("11 tokens"), HasSubstr("ran to its limit"))));
  run.settings.max_new_tokens = 64;
  EXPECT_THAT(apply(why::same_tokens), Optional(HasSubstr("ended before")));
  for (Generation& generation : run.optimized.generations) generation.tokens_out = 7;
  EXPECT_EQ(apply(why::same_tokens), std::nullopt);
  run.optimized.generations.clear();
  EXPECT_EQ(apply(why::same_tokens), std::nullopt);
}

TEST_F(WhyTest, OtherTokens) {
  EXPECT_EQ(apply(why::other_tokens), std::nullopt);
  for (Generation& generation : run.optimized.generations) generation.tokens_out = 7;
  EXPECT_THAT(apply(why::other_tokens),
              Optional(AllOf(HasSubstr("wrote 7 tokens"), HasSubstr("baseline 11"), HasSubstr("logits"))));
  run.settings.temperature = 1;
  EXPECT_THAT(apply(why::other_tokens), Optional(Not(HasSubstr("logits"))));
}

TEST_F(WhyTest, Sampled) {
  EXPECT_EQ(apply(why::sampled), std::nullopt);
  run.settings.temperature = 0.8;
  EXPECT_THAT(apply(why::sampled), Optional(HasSubstr("temperature 0.8")));
}

TEST_F(WhyTest, QualityFell) {
  EXPECT_EQ(apply(why::quality_fell), std::nullopt);
  run.optimized.quality->perplexity = 25;
  EXPECT_THAT(apply(why::quality_fell),
              Optional(AllOf(HasSubstr("25.0 %"), HasSubstr("20.0 to 25.0"), HasSubstr("40 %"))));
  run.optimized.quality->perplexity.reset();
  EXPECT_EQ(apply(why::quality_fell), std::nullopt);
}

TEST_F(WhyTest, QualityHeld) {
  EXPECT_THAT(apply(why::quality_held), Optional(HasSubstr("room for more")));
  run.optimized.quality->perplexity = 25;
  EXPECT_EQ(apply(why::quality_held), std::nullopt);
  run.optimized.quality.reset();
  EXPECT_EQ(apply(why::quality_held), std::nullopt);
}

TEST_F(WhyTest, TextsDiverge) {
  EXPECT_EQ(apply(why::texts_diverge), std::nullopt);
  run.agreement = Agreement{5, 2, 0.5, 3.25};
  EXPECT_THAT(apply(why::texts_diverge), Optional(AllOf(HasSubstr("3 of 5"), HasSubstr("first 3.2 tokens"))));
  run.agreement.reset();
  EXPECT_EQ(apply(why::texts_diverge), std::nullopt);
}

}  // namespace
}  // namespace trisect::report
