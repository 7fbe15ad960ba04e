#include "integration/runner/comparison.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trisect::runner {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

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
  Side a{.name = "baseline"}, b{.name = "larosa", .parts = {"larosa"}};
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
  Side a{.name = "baseline"}, b{.name = "larosa", .parts = {"larosa"}};
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
    comparison_.sides.push_back({.name = "baseline"});
    comparison_.sides.push_back({.name = "larosa", .parts = {"larosa"}});
    for (Side& side : comparison_.sides) side.load_s = {2};
  }
  void add(std::size_t side, int repetition, double prefill_s, std::vector<double> token_s) {
    for (int prompt = 0; prompt < 2; ++prompt)
      comparison_.sides[side].generations.push_back(
          record(prompt, repetition, prefill_s, token_s, {1, 2, 3}));
  }

  Comparison comparison_;
};

TEST_F(Table, NothingBeforeTheFirstRepetition) {
  EXPECT_EQ(comparison_table(comparison_), "");
  for (Side& side : comparison_.sides) side.generations = {record(0, 0, 1, {1}, {1, 2})};
  EXPECT_EQ(comparison_table(comparison_), "");
}

TEST_F(Table, SumsPromptsAndPairsCompleteRepetitions) {
  for (int repetition = 0; repetition < 3; ++repetition) {
    const double noise = repetition == 2 ? 50 : 1;
    add(0, repetition, noise, {4 * noise, 4 * noise});
    add(1, repetition, noise, {noise, noise});
  }
  comparison_.sides[1].generations.push_back(
      record(0, 3, 1000, {1000, 1000}, {1, 2, 3}));  // interrupted in it
  const std::string table = comparison_table(comparison_);
  EXPECT_THAT(table, MatchesRegex("(.|\n)*baseline +2.00 s +16.00 s +4.00 s +0.0 +1.00x +- +10 +6 (.|\n)*"));
  EXPECT_THAT(table, MatchesRegex("(.|\n)*larosa +2.00 s +4.00 s +1.00 s +0.0 +3.00x +- +10 +6 (.|\n)*"));
}

TEST_F(Table, ProductOfPartsAcrossGroups) {
  comparison_.sides.push_back({.name = "vattention", .parts = {"vattention"}});
  comparison_.sides.push_back({.name = "larosa+vattention", .parts = {"larosa", "vattention"}});
  for (int repetition = 0; repetition < 2; ++repetition) {
    add(0, repetition, 1, {3, 4});
    add(1, repetition, 1, {1, 2});  // twice as fast
  }
  for (int repetition = 2; repetition < 4; ++repetition) {  // when the machine was ten times slower
    add(0, repetition, 10, {30, 40});
    add(2, repetition, 10, {30, 40});
    add(3, repetition, 10, {15, 15});  // twice as fast again
  }
  const std::string table = comparison_table(comparison_);
  EXPECT_THAT(table, HasSubstr("larosa beside baseline: 2 of 2"));
  EXPECT_THAT(table, MatchesRegex("(.|\n)*larosa.vattention .* 2.00x +2.00x (.|\n)*"));
}

TEST_F(Table, MemoryAndQuality) {
  for (Side& side : comparison_.sides) {
    for (int prompt = 0; prompt < 2; ++prompt) side.generations.push_back(record(prompt, 0, 1, {1}, {1, 2}));
    side.memory = {{"peak_rss_bytes", 10e9}, {"kv_bytes", 123456}};
    side.quality = QualityRecord{"t", 100, 20, 2, {}, {}};
  }
  EXPECT_THAT(comparison_table(comparison_),
              MatchesRegex("(.|\n)*larosa .* 10.00 GB +123.5 kB +2.000(.|\n)*"));
}

TEST(Reference, IsTheDenseSideOfTheVocabulary) {
  Comparison comparison;
  comparison.prompts.resize(1);
  comparison.sides = {{.name = "baseline"},
                      {.name = "larosa", .parts = {"larosa"}},
                      {.name = "adaptivocab", .parts = {"adaptivocab"}, .vocabulary = "v"},
                      {.name = "larosa+adaptivocab", .parts = {"larosa", "adaptivocab"}, .vocabulary = "v"}};
  EXPECT_EQ(reference_of(comparison, comparison.sides[0]), nullptr);
  EXPECT_EQ(reference_of(comparison, comparison.sides[1]), &comparison.sides[0]);
  EXPECT_EQ(reference_of(comparison, comparison.sides[2]), nullptr);
  EXPECT_EQ(reference_of(comparison, comparison.sides[3]), &comparison.sides[2]);
  comparison.prompts[0].forced = {1};
  EXPECT_EQ(reference_of(comparison, comparison.sides[1]), nullptr);
}

TEST(Combinations, OfWhatIsAskedFor) {
  const auto names = [](const Combination& asked, std::string_view only) {
    std::vector<std::string> list;
    for (const Combination& one : combinations_of(asked, "vattention", only))
      list.push_back(name_of(one, "vattention"));
    return list;
  };
  EXPECT_THAT(names({true, true, true}, ""),
              ElementsAre("baseline", "larosa", "vattention", "adaptivocab", "larosa+vattention",
                          "larosa+adaptivocab", "vattention+adaptivocab", "larosa+vattention+adaptivocab"));
  EXPECT_THAT(names({true, false, false}, ""), ElementsAre("baseline", "larosa"));
  EXPECT_THAT(names({true, false, true}, "all,larosa"),
              ElementsAre("baseline", "larosa", "larosa+adaptivocab"));
  EXPECT_THROW(names({true, false, true}, "vattention"), Error);
}

TEST(ComparisonJson, WhatWasNotReachedIsNull) {
  Comparison comparison;
  comparison.prompts = {{"caf\xff", {1, 2, 3}}};
  comparison.sides = {{.name = "baseline"}, {.name = "larosa", .parts = {"larosa"}}};
  const Json json = comparison_json(comparison, true);
  EXPECT_EQ(json.at("schema_version"), 2);
  EXPECT_EQ(json.at("interrupted"), true);
  EXPECT_EQ(json.at("prompts").at(0).at("tokens"), 3);
  EXPECT_EQ(json.at("sides").size(), 2);
  EXPECT_TRUE(json.at("sides").at(0).at("memory").is_null());
  EXPECT_TRUE(json.at("sides").at(1).at("quality").is_null());
  EXPECT_TRUE(json.at("sides").at(1).at("agreement").is_null());
}

}  // namespace
}  // namespace trisect::runner
