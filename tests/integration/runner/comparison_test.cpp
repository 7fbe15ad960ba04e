#include "integration/runner/comparison.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trisect::runner {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

GenerationRecord record(int prompt, int repetition, double prefill_s, std::vector<double> token_s,
                        std::vector<std::int32_t> ids) {
  return {.prompt = prompt,
          .repetition = repetition,
          .tokens_in = 5,
          .prefill_s = prefill_s,
          .token_s = std::move(token_s),
          .ids = std::move(ids),
          .text = {}};
}

TEST(Agreement, CountsPlacesOfTheFirstRepetition) {
  Side a("baseline"), b("optimized");
  a.generations = {record(0, 0, 1, {}, {1, 2, 3, 4}), record(1, 0, 1, {}, {7, 8}),
                   record(0, 1, 1, {}, {9, 9, 9, 9})};
  b.generations = {record(0, 0, 1, {}, {1, 2, 9, 4, 5, 6}), record(1, 0, 1, {}, {7, 8})};
  const Agreement agreement = agreement_of(a, b);
  EXPECT_EQ(agreement.prompts, 2);
  EXPECT_EQ(agreement.identical, 1);
  EXPECT_DOUBLE_EQ(agreement.equal_id_fraction, (3.0 + 2.0) / (6.0 + 2.0));
  EXPECT_DOUBLE_EQ(agreement.mean_common_prefix, (2.0 + 2.0) / 2.0);
}

TEST(Agreement, OfNothing) {
  Side a("baseline"), b("optimized");
  EXPECT_EQ(agreement_of(a, b).prompts, 0);
  a.generations = {record(0, 0, 1, {}, {})};
  EXPECT_EQ(agreement_of(a, b).prompts, 0);
  b.generations = {record(0, 0, 1, {}, {})};
  EXPECT_EQ(agreement_of(a, b).identical, 1);
  EXPECT_DOUBLE_EQ(agreement_of(a, b).equal_id_fraction, 1);
}

class Table : public ::testing::Test {
 protected:
  Table() {
    comparison_.prompts.resize(2);
    for (Side* side : {&comparison_.baseline, &comparison_.optimized}) side->load_s = {2};
  }

  Comparison comparison_;
};

TEST_F(Table, NothingBeforeTheFirstRepetition) {
  EXPECT_EQ(comparison_table(comparison_), "");
  comparison_.baseline.generations = {record(0, 0, 1, {1}, {1, 2})};
  comparison_.optimized.generations = {record(0, 0, 1, {1}, {1, 2})};
  EXPECT_EQ(comparison_table(comparison_), "");
}

TEST_F(Table, SumsPromptsAndTakesMediansOfCompleteRepetitions) {
  for (int repetition = 0; repetition < 3; ++repetition) {
    for (int prompt = 0; prompt < 2; ++prompt) {
      const double noise = repetition == 2 ? 50 : 1;
      comparison_.baseline.generations.push_back(record(prompt, repetition, 1, {4 * noise, 4}, {1, 2, 3}));
      comparison_.optimized.generations.push_back(record(prompt, repetition, 2, {2 * noise, 2}, {1, 2, 3}));
    }
  }
  comparison_.optimized.generations.push_back(
      record(0, 3, 1000, {1000, 1000}, {1, 2, 3}));  // interrupted in it
  const std::string table = comparison_table(comparison_);
  EXPECT_THAT(table, HasSubstr("prefill                       2.00 s        4.00 s      -100.0 %"));
  EXPECT_THAT(table, HasSubstr("decode                       16.00 s        8.00 s       +50.0 %"));
  EXPECT_THAT(table, HasSubstr("prefill and decode           18.00 s       12.00 s       +33.3 %"));
  EXPECT_THAT(table, HasSubstr("decoded a second                 0.2           0.5      +100.0 %"));
  EXPECT_THAT(table, HasSubstr("out                                6             6"));
  EXPECT_THAT(table, Not(HasSubstr("Memory")));
  EXPECT_THAT(table, Not(HasSubstr("perplexity")));
}

TEST_F(Table, MemoryAndQuality) {
  for (Side* side : {&comparison_.baseline, &comparison_.optimized}) {
    const double more = side == &comparison_.baseline ? 1 : 1.5;
    for (int prompt = 0; prompt < 2; ++prompt) side->generations.push_back(record(prompt, 0, 1, {1}, {1, 2}));
    side->memory = {{"peak_rss_bytes", 10e9 * more},
                    {"weights_bytes", 5e9},
                    {"rotations_bytes", 0},
                    {"kv_bytes", 123456},
                    {"scratch_bytes", 78.9e6}};
    side->quality = QualityRecord{"t", 100, 20 * more, 2};
  }
  const std::string table = comparison_table(comparison_);
  EXPECT_THAT(table, HasSubstr("peak                        10.00 GB      15.00 GB       -50.0 %"));
  EXPECT_THAT(table, HasSubstr("perplexity                    20.000        30.000       -50.0 %"));
  EXPECT_THAT(table, HasSubstr("KV cache                  123.5 kB"));
}

TEST(ComparisonJson, WhatWasNotReachedIsNull) {
  Comparison comparison;
  comparison.prompts = {{"caf\xff", {1, 2, 3}}};
  const Json json = comparison_json(comparison, true);
  EXPECT_EQ(json.at("schema_version"), 1);
  EXPECT_EQ(json.at("interrupted"), true);
  EXPECT_EQ(json.at("prompts").at(0).at("tokens"), 3);
  EXPECT_EQ(json.at("sides").size(), 2);
  EXPECT_TRUE(json.at("sides").at(0).at("memory").is_null());
  EXPECT_TRUE(json.at("sides").at(1).at("quality").is_null());
  EXPECT_TRUE(json.at("agreement").is_null());
}

}  // namespace
}  // namespace trisect::runner
