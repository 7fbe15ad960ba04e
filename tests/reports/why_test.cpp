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
    const std::vector<Layer> layers = layers_of(results);
    return rule(WhyFacts(run, run.sides[1], layers));
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
  EXPECT_EQ(rules, 30u);
  EXPECT_EQ(names.size(), rules);
}

TEST_F(WhyTest, OtherDevice) {
  EXPECT_EQ(apply(why::other_device), std::nullopt);
  run.origin.environment.gpu = "Some GPU";
  EXPECT_THAT(apply(why::other_device), Optional(AllOf(HasSubstr("Some GPU"), HasSubstr("--device cuda"))));
  run.settings.device = "cuda";
  run.sides[1].variants = {{"dense/gemv", "cpu_bf16"}};
  EXPECT_THAT(apply(why::other_device), Optional(HasSubstr("cuda was asked for")));
  run.sides[1].variants["dense/gemm"] = "cublas";
  EXPECT_EQ(apply(why::other_device), std::nullopt);
}

/// Nine repetitions of the first, with characters.
void repeat(Side& side, double characters) {
  const Generation one = side.generations[0];
  side.generations.assign(9, one);
  for (int i = 0; i < 9; ++i) {
    side.generations[static_cast<std::size_t>(i)].repetition = i;
    side.generations[static_cast<std::size_t>(i)].characters_out = characters;
  }
}

TEST_F(WhyTest, WithinNoise) {
  EXPECT_THAT(apply(why::within_noise), Optional(AllOf(HasSubstr("1.00×"), HasSubstr("too few"))));
  for (Side& side : run.sides) repeat(side, 50);
  EXPECT_THAT(apply(why::within_noise), Optional(AllOf(HasSubstr("1.00×"), HasSubstr("the same"))));
  for (std::size_t i = 0; i < 4; ++i) run.sides[1].generations[i].decode_s *= i % 2 == 0 ? 0.5 : 2;
  EXPECT_THAT(apply(why::within_noise), Optional(HasSubstr("cannot tell")));
  for (Side& side : run.sides) repeat(side, 50);
  testing::stretch_decode(run.sides[1], 0.5);
  EXPECT_EQ(apply(why::within_noise), std::nullopt);
}

TEST_F(WhyTest, SparsityThatPays) {
  EXPECT_EQ(apply(why::sparsity_that_pays), std::nullopt) << "no overhead";
  testing::set_stages(run.sides[1], {{"rotate", 0.009}, {"in_product", 0.009}, {"out_product", 0.009}});
  // 300 us of overhead, 200 us saved at 40 %.
  EXPECT_THAT(apply(why::sparsity_that_pays), Optional(HasSubstr("from 60 % on")));
  testing::set_stage(run.sides[1], "rotate", 0.03);
  EXPECT_THAT(apply(why::sparsity_that_pays), Optional(HasSubstr("none below 100 %")));
  testing::set_stage(run.sides[1], "in_product", 0.03);
  EXPECT_THAT(apply(why::sparsity_that_pays), Optional(HasSubstr("not shorter at all")));
  testing::set_stages(run.sides[1], {{"rotate", 0.001}, {"in_product", 0.009}, {"out_product", 0.009}});
  EXPECT_EQ(apply(why::sparsity_that_pays), std::nullopt) << "it pays already";
}

TEST_F(WhyTest, FewerSteps) {
  EXPECT_EQ(apply(why::fewer_steps), std::nullopt);
  run.sides[1] = testing::quiet_side({kAdaptivocab});
  repeat(run.sides[0], 50);
  repeat(run.sides[1], 100);
  EXPECT_THAT(apply(why::fewer_steps),
              Optional(AllOf(HasSubstr("100 decode steps instead of 200"), HasSubstr("-50.0 %"))));
}

TEST_F(WhyTest, KvCostsNoTime) {
  EXPECT_EQ(apply(why::kv_costs_no_time), std::nullopt);
  run.sides[1] = testing::quiet_side({kVattention});
  EXPECT_THAT(apply(why::kv_costs_no_time), Optional(AllOf(HasSubstr("vattention"), HasSubstr("1.00×"))));
}

TEST_F(WhyTest, PartsTogether) {
  EXPECT_EQ(apply(why::parts_together), std::nullopt);
  // The combination is judged: it is the second side, its parts follow.
  run.sides = {testing::quiet_side({}), testing::quiet_side({kLarosa, kVattention}),
               testing::quiet_side({kLarosa}), testing::quiet_side({kVattention})};
  EXPECT_THAT(apply(why::parts_together), Optional(AllOf(HasSubstr("100.0 %"), HasSubstr("multiply"))));
  for (Generation& generation : run.sides[2].generations) generation.tokens_out *= 2;
  EXPECT_THAT(apply(why::parts_together),
              Optional(AllOf(HasSubstr("50.0 % of it"), HasSubstr("cannot take again"))));
  for (Generation& generation : run.sides[1].generations) generation.tokens_out *= 3;
  EXPECT_THAT(apply(why::parts_together), Optional(HasSubstr("no effect that is known")));
}

TEST_F(WhyTest, KvCommitted) {
  EXPECT_EQ(apply(why::kv_committed), std::nullopt);
  run.sides[1] = testing::quiet_side({kVattention});
  EXPECT_THAT(apply(why::kv_committed), Optional(HasSubstr("no difference")));
  run.sides[1].memory->kv = 0.6e6;
  EXPECT_THAT(apply(why::kv_committed), Optional(AllOf(HasSubstr("-40.0 %"), HasSubstr("all 100 tokens"))));
  run.sides[1].memory->kv = 2e6;
  EXPECT_THAT(apply(why::kv_committed), Optional(AllOf(HasSubstr("+100"), HasSubstr("That is more"))));
}

TEST_F(WhyTest, Vocabulary) {
  EXPECT_EQ(apply(why::vocabulary_fits), std::nullopt);
  EXPECT_EQ(apply(why::vocabulary_misfits), std::nullopt);
  EXPECT_EQ(apply(why::larger_tables), std::nullopt);
  EXPECT_THAT(apply(why::no_vocabulary), Optional(HasSubstr("--patch-tokenizer")));
  run.sides[1] = testing::quiet_side({kAdaptivocab});
  run.settings.patch = Settings::Patch{10, 0, 110, false};
  EXPECT_EQ(apply(why::no_vocabulary), std::nullopt);
  repeat(run.sides[0], 50);
  repeat(run.sides[1], 50);
  EXPECT_THAT(apply(why::vocabulary_misfits), Optional(AllOf(HasSubstr("0.0 %"), HasSubstr("10 n-grams"))));
  EXPECT_EQ(apply(why::vocabulary_fits), std::nullopt);
  for (Generation& generation : run.sides[1].generations) generation.tokens_in = 4;
  EXPECT_THAT(apply(why::vocabulary_fits),
              Optional(AllOf(HasSubstr("20.0 % fewer tokens"), HasSubstr("prompts"))));
  run.settings.forced_text = "t.txt";
  for (Generation& generation : run.sides[1].generations) generation.tokens_out = 4;
  EXPECT_THAT(apply(why::vocabulary_fits),
              Optional(AllOf(HasSubstr("50.0 % fewer tokens"), HasSubstr("t.txt"))));
  EXPECT_EQ(apply(why::vocabulary_misfits), std::nullopt);
  run.sides[1].memory->weights += 1e6;
  EXPECT_THAT(apply(why::larger_tables), Optional(AllOf(HasSubstr("10 new tokens"), HasSubstr("1.00 MB"))));
}

TEST_F(WhyTest, BitsOfVocabulary) {
  EXPECT_EQ(apply(why::bits_of_vocabulary), std::nullopt);
  run.sides[1] = testing::quiet_side({kAdaptivocab});
  run.settings.patch = Settings::Patch{10, 0, 110, false};
  run.sides[1].quality->bits_per_character = 1.8;
  EXPECT_THAT(apply(why::bits_of_vocabulary),
              Optional(AllOf(HasSubstr("+20.0 %"), HasSubstr("fine-tuning"))));
  run.settings.patch->tuned = true;
  EXPECT_THAT(apply(why::bits_of_vocabulary), Optional(HasSubstr("more training")));
}

TEST_F(WhyTest, OverheadAndSaving) {
  EXPECT_EQ(apply(why::overhead_and_saving), std::nullopt);
  testing::set_stages(run.sides[1],
                      {{"rotate", 0.003}, {"select", 0.003}, {"in_product", 0.009}, {"out_product", 0.003}});
  EXPECT_THAT(apply(why::overhead_and_saving),
              Optional(AllOf(HasSubstr("cost 200 µs"), HasSubstr("400 µs shorter"),
                             HasSubstr("larger than the overhead, by 200 µs"))));
  testing::set_stage(run.sides[1], "rotate", 0.012);
  EXPECT_THAT(apply(why::overhead_and_saving),
              Optional(AllOf(HasSubstr("cost 500 µs"), HasSubstr("larger than the saving, by 100 µs"),
                             HasSubstr("What helps"))));
  testing::set_stage(run.sides[1], "in_product", 0.03);
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
  run.sides[0].memory->weights = 0.5e6;
  EXPECT_THAT(apply(why::fits_in_cache), Optional(AllOf(HasSubstr("500 kB"), HasSubstr("1.00 MB"))));
  run.origin.environment.llc_bytes.reset();
  EXPECT_EQ(apply(why::fits_in_cache), std::nullopt);
  run.sides[0].memory.reset();
  EXPECT_EQ(apply(why::fits_in_cache), std::nullopt);
}

TEST_F(WhyTest, BelowBandwidth) {
  EXPECT_EQ(apply(why::below_bandwidth), std::nullopt);
  run.sides[0].weight_bytes_per_token = 3e6;  // at 1000 tokens/s
  EXPECT_THAT(apply(why::below_bandwidth), Optional(AllOf(HasSubstr("30.0 %"), HasSubstr("10.0 GB/s"))));
  run.sides[0].memory->weights = 0.5e6;
  EXPECT_EQ(apply(why::below_bandwidth), std::nullopt)
      << "what fits in the cache does not read memory at all";
  run.sides[0].memory->weights = 80e6;
  run.probe_gbps.reset();
  EXPECT_EQ(apply(why::below_bandwidth), std::nullopt);
}

TEST_F(WhyTest, PrefillDominates) {
  EXPECT_EQ(apply(why::prefill_dominates), std::nullopt);
  for (Generation& generation : run.sides[0].generations) generation.prefill_s = 0.03;
  EXPECT_THAT(apply(why::prefill_dominates), Optional(AllOf(HasSubstr("75.0 %"), HasSubstr("1.33×"))));
  run.sides[0].generations.clear();
  EXPECT_EQ(apply(why::prefill_dominates), std::nullopt);
}

TEST_F(WhyTest, ProductsAreMinor) {
  EXPECT_EQ(apply(why::products_are_minor), std::nullopt);
  testing::set_stage(run.sides[0], "attention", 0.072);
  EXPECT_THAT(apply(why::products_are_minor), Optional(AllOf(HasSubstr("25.0 %"), HasSubstr("1.33×"))));
  testing::set_stages(run.sides[0], {});
  EXPECT_EQ(apply(why::products_are_minor), std::nullopt);
}

TEST_F(WhyTest, Stalled) {
  EXPECT_EQ(apply(why::stalled), std::nullopt);
  run.sides[1].generations[0].token_s[0] = 0.1;
  EXPECT_THAT(apply(why::stalled),
              Optional(AllOf(HasSubstr("100 ms"), HasSubstr("1.00 ms"), HasSubstr("(same)"))));
  run.sides[0].generations.clear();
  EXPECT_EQ(apply(why::stalled), std::nullopt);
}

TEST_F(WhyTest, LongerLoad) {
  EXPECT_EQ(apply(why::longer_load), std::nullopt);
  run.sides[1].load_s = {2, 2, 2};
  EXPECT_THAT(apply(why::longer_load), Optional(AllOf(HasSubstr("1.00 s longer"), HasSubstr("does not earn"),
                                                      Not(HasSubstr("seldom")))));
  testing::stretch_decode(run.sides[1], 0.5);
  EXPECT_THAT(apply(why::longer_load), Optional(HasSubstr("after 2000 tokens")));
  run.sides[1].load_s = {2};
  EXPECT_THAT(apply(why::longer_load), Optional(HasSubstr("seldom")));
  run.sides[1].load_s = {0.5};
  EXPECT_EQ(apply(why::longer_load), std::nullopt);
}

/// A step is no shorter, but there are fewer of them.
TEST_F(WhyTest, LongerLoadIsEarnedBackByCharactersWhereVocabulariesDiffer) {
  run.sides[1].parts = {kAdaptivocab};
  repeat(run.sides[0], 40);
  repeat(run.sides[1], 80);
  run.sides[1].load_s = {2, 2, 2};
  // 1 s over 11 ms / 40 less 11 ms / 80.
  EXPECT_THAT(apply(why::longer_load), Optional(HasSubstr("after 7273 characters")));
  repeat(run.sides[1], 40);
  EXPECT_THAT(apply(why::longer_load), Optional(HasSubstr("does not earn")));
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
  run.sides[1].memory->rotations = 8e6;
  run.sides[1].memory->peak = 110e6;
  EXPECT_THAT(apply(why::memory_rose),
              Optional(AllOf(HasSubstr("+10.0 %"), HasSubstr("rotations +8.00 MB"),
                             HasSubstr("80.0 % of the rise"), Not(HasSubstr("for a moment")))));
  run.sides[1].memory->rotations = 1e6;
  EXPECT_THAT(apply(why::memory_rose),
              Optional(AllOf(HasSubstr("for a moment"), Not(HasSubstr("of the rise")))));
  run.sides[0].memory.reset();
  EXPECT_EQ(apply(why::memory_rose), std::nullopt);
}

TEST_F(WhyTest, MemoryFell) {
  EXPECT_EQ(apply(why::memory_fell), std::nullopt);
  run.sides[1].memory->kv = 0.5e6;
  run.sides[1].memory->scratch = 11e6;
  run.sides[1].memory->peak = 80e6;
  EXPECT_THAT(apply(why::memory_fell), Optional(AllOf(HasSubstr("-20.0 %"), HasSubstr("scratch +10.0 MB"),
                                                      Not(HasSubstr("KV cache")))));
}

TEST_F(WhyTest, MemoryHeld) {
  EXPECT_THAT(apply(why::memory_held), Optional(HasSubstr("100 MB and 100 MB")));
  run.sides[1].memory->peak = 102e6;
  EXPECT_EQ(apply(why::memory_held), std::nullopt);
}

TEST_F(WhyTest, SameTokens) {
  EXPECT_THAT(apply(why::same_tokens),
              Optional(AllOf(HasSubstr("11 tokens"), HasSubstr("ran to its limit"))));
  run.settings.max_new_tokens = 64;
  EXPECT_THAT(apply(why::same_tokens), Optional(HasSubstr("ended before")));
  for (Generation& generation : run.sides[1].generations) generation.tokens_out = 7;
  EXPECT_EQ(apply(why::same_tokens), std::nullopt);
  run.sides[1].generations.clear();
  EXPECT_EQ(apply(why::same_tokens), std::nullopt);
}

TEST_F(WhyTest, OtherTokens) {
  EXPECT_EQ(apply(why::other_tokens), std::nullopt);
  for (Generation& generation : run.sides[1].generations) generation.tokens_out = 7;
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
  run.sides[1].quality->perplexity = 25;
  EXPECT_THAT(apply(why::quality_fell),
              Optional(AllOf(HasSubstr("25.0 %"), HasSubstr("20.0 to 25.0"), HasSubstr("40 %"))));
  run.sides[1].quality->perplexity.reset();
  EXPECT_EQ(apply(why::quality_fell), std::nullopt);
}

TEST_F(WhyTest, QualityHeld) {
  EXPECT_THAT(apply(why::quality_held), Optional(HasSubstr("room for more")));
  run.sides[1].quality->perplexity = 25;
  EXPECT_EQ(apply(why::quality_held), std::nullopt);
  run.sides[1].quality.reset();
  EXPECT_EQ(apply(why::quality_held), std::nullopt);
}

TEST_F(WhyTest, TextsDiverge) {
  EXPECT_EQ(apply(why::texts_diverge), std::nullopt);
  run.sides[1].agreement = Agreement{"baseline", 5, 2, 0.5, 3.25};
  EXPECT_THAT(apply(why::texts_diverge), Optional(AllOf(HasSubstr("3 of 5"), HasSubstr("first 3.2 tokens"))));
  run.sides[1].agreement.reset();
  EXPECT_EQ(apply(why::texts_diverge), std::nullopt);
}

}  // namespace
}  // namespace trisect::report
