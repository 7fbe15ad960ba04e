// Tables that fold what is the same: the environment of several inputs, and rows that were skipped.
#include "reports/generator/sections.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/reports/samples.hpp"

namespace trisect::report {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

Results two_inputs() {
  Results results = testing::results_of({testing::row("dense/gemv", "cpu", {{"in", 8}}, 10)});
  results.comparisons.push_back(testing::quiet_compare());
  results.runs[0].origin.environment.all = {{"cpu", "CPU"}, {"threads", "2"}, {"benchmark", "1.7"}};
  results.comparisons[0].origin.environment.all = {{"cpu", "CPU"}, {"threads", "1"}};
  results.comparisons[0].origin.seed = 7;
  return results;
}

TEST(EnvironmentTest, WhatIsAlikeStandsOnceAndWhatDiffersInARowEach) {
  const std::string text = environment_section(two_inputs());
  EXPECT_THAT(text, ContainsRegex("\\| cpu +\\| CPU +\\|\n"));
  EXPECT_THAT(text, ContainsRegex("\\| benchmark +\\| 1.7 +\\|\n")) << "who does not say it does not differ";
  EXPECT_THAT(text, ContainsRegex("\\| input +\\| program +\\| .* seed \\| threads \\|"));
  EXPECT_THAT(text, ContainsRegex("\\| benchmark.json \\| microbench +\\| .* – +\\| 2 +\\|\n"));
  EXPECT_THAT(text, ContainsRegex("\\| compare.json +\\| phi2 compare +\\| .* 7 +\\| 1 +\\|\n"));
}

TEST(EnvironmentTest, NothingDiffersNothingMoreIsShown) {
  Results results = two_inputs();
  results.comparisons[0].origin.environment.all[1].second = "2";
  EXPECT_THAT(environment_section(results), Not(ContainsRegex("seed +\\| threads")));
}

TEST(RowTableTest, SkippedRowsAreALineAReason) {
  std::vector<Row> rows;
  for (const int in : {8, 16, 24}) {
    rows.push_back(testing::row("dense/gemv", "cpu_union", {{"in", in}}, 10));
    rows.back().status = "skipped";
    rows.back().reason = in == 24 ? "no memory" : "takes two rows";
    rows.back().time_ns.reset();
  }
  rows.push_back(testing::row("dense/gemv", "cpu", {{"in", 8}}, 10));
  const std::string text = row_table(testing::quiet_run(rows), "dense");
  EXPECT_THAT(
      text,
      AllOf(HasSubstr(
                "- 2 rows of `dense/gemv/cpu_union` (takes two rows): `dense/gemv/cpu_union/bf16/in:8`\n"),
            HasSubstr("- 1 row of `dense/gemv/cpu_union` (no memory): "), Not(HasSubstr("| skipped"))));
  rows.pop_back();
  EXPECT_THAT(row_table(testing::quiet_run(rows), "dense"), Not(HasSubstr("median µs"))) << "no empty table";
}

}  // namespace
}  // namespace trisect::report
