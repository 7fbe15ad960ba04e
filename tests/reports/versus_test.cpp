#include "reports/generator/versus.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/core/error.hpp"
#include "reports/generator/pairs.hpp"
#include "tests/reports/files.hpp"
#include "tests/reports/samples.hpp"

namespace trisect::report {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

/// A row whose repetitions take these times, in us.
Row timed(const std::string& variant, const std::vector<double>& us, const std::string& op = "larosa/topk") {
  Row row = testing::row(op, variant, {{"n", 8}}, 1);
  std::vector<double> ns;
  for (std::size_t i = 0; i < us.size(); ++i)
    row.sample_ns[static_cast<int>(i)] = us[i] * 1e3, ns.push_back(us[i] * 1e3);
  row.time_ns = summarize(ns);
  return row;
}

MicrobenchRun run_of(std::vector<Row> rows, const std::string& pair = "a pair") {
  MicrobenchRun run = testing::quiet_run(std::move(rows));
  run.pair = pair;
  for (const Row& row : run.rows) run.groups.push_back({row.group, 10.0, 10.0});
  return run;
}

/// A machine that flips between two speeds from pair to pair.
std::vector<double> flipping(double factor, int count = 10) {
  std::vector<double> us;
  for (int i = 0; i < count; ++i) us.push_back((i % 3 == 0 ? 17 : 10) * factor);
  return us;
}

Verdict verdict_of_rows(const std::vector<double>& base, const std::vector<double>& fresh,
                        const std::string& pair = "a pair") {
  const MicrobenchRun one = run_of({timed("fast", base)}, pair), other = run_of({timed("fast", fresh)}, pair);
  const Versus versus = compare_runs(one, other);
  return versus.families.at(0).verdict;
}

TEST(VersusTest, PairsSeeThroughAMachineThatFlips) {
  EXPECT_EQ(verdict_of_rows(flipping(1), flipping(1)), Verdict::kSame);
  EXPECT_EQ(verdict_of_rows(flipping(1), flipping(1.15)), Verdict::kSlower);
  EXPECT_EQ(verdict_of_rows(flipping(1), flipping(0.85)), Verdict::kFaster);
}

/// A family of `count` rows, of which each is slower or faster by a constant of its own, as where its memory
/// lies makes it.
Versus family_of(int count, double factor, std::vector<MicrobenchRun>& runs) {
  std::vector<Row> base, fresh;
  for (int i = 0; i < count; ++i) {
    const std::string name = fmt::format("fast{}", i);
    base.push_back(timed(name, flipping(1)));
    fresh.push_back(timed(name, flipping(factor * (1 + 0.005 * (i % 3)))));
  }
  runs = {run_of(std::move(base)), run_of(std::move(fresh))};
  return compare_runs(runs[0], runs[1]);
}

TEST(VersusTest, AFewRowsMustDifferByMoreThanMany) {
  std::vector<MicrobenchRun> runs;
  EXPECT_EQ(family_of(kFewestRows, 1.06, runs).families[0].verdict, Verdict::kSlower);
  EXPECT_EQ(family_of(kFewestRows - 1, 1.06, runs).families[0].verdict, Verdict::kAmbiguous);
  EXPECT_EQ(family_of(2, 1.06, runs).families[0].verdict, Verdict::kAmbiguous);
  EXPECT_EQ(family_of(2, 1.06, runs).families[0].rows[0].verdict, Verdict::kSlower)
      << "a row speaks for itself";
  EXPECT_EQ(family_of(2, 1.15, runs).families[0].verdict, Verdict::kSlower);
}

TEST(VersusTest, WithoutTurnsTheSameSamplesDecideNothing) {
  EXPECT_EQ(verdict_of_rows(flipping(1), flipping(1.1), ""), Verdict::kAmbiguous);
  EXPECT_EQ(verdict_of_rows(std::vector<double>(9, 10), std::vector<double>(9, 20), ""), Verdict::kSlower);
  EXPECT_EQ(verdict_of_rows(std::vector<double>(9, 10), std::vector<double>(9, 10.8), ""),
            Verdict::kAmbiguous)
      << "less than 10 %";
}

TEST(VersusTest, WithoutTurnsAChangeOfTheMachineExplainsADifference) {
  const MicrobenchRun base = run_of({timed("fast", std::vector<double>(9, 10))}, "");
  MicrobenchRun fresh = run_of({timed("fast", std::vector<double>(9, 16))}, "");
  EXPECT_EQ(compare_runs(base, fresh).families[0].verdict, Verdict::kSlower);
  fresh.groups.back().probe_after_gbps = 6;  // of 10
  EXPECT_EQ(compare_runs(base, fresh).families[0].verdict, Verdict::kAmbiguous);
}

TEST(VersusTest, FewPairsDecideNothing) {
  EXPECT_EQ(verdict_of_rows(flipping(1, 7), flipping(2, 7)), Verdict::kAmbiguous);
  EXPECT_EQ(verdict_of_rows(flipping(1, 8), flipping(2, 8)), Verdict::kSlower);
}

TEST(VersusTest, AProbeThatMovedTheSameWayTakesTheVerdictBack) {
  const MicrobenchRun base = run_of({timed("fast", flipping(1))});
  MicrobenchRun fresh = run_of({timed("fast", flipping(1.3))});
  EXPECT_EQ(compare_runs(base, fresh).families[0].verdict, Verdict::kSlower);
  for (Group& group : fresh.groups) group.probe_before_gbps = group.probe_after_gbps = 7.5;
  const Versus versus = compare_runs(base, fresh);
  EXPECT_EQ(versus.families[0].verdict, Verdict::kAmbiguous);
  EXPECT_THAT(versus.families[0].why, HasSubstr("bandwidth probe"));
}

TEST(VersusTest, WhatCannotBeComparedSaysWhy) {
  Row skipped = timed("skipped", flipping(1)), failed = timed("failed", flipping(1)),
      work = timed("work", flipping(1));
  MicrobenchRun base =
      run_of({skipped, failed, work, timed("gone", flipping(1)), timed("fast", flipping(1))});
  for (Row* row : {&skipped, &failed}) row->time_ns.reset(), row->sample_ns.clear();
  skipped.status = "skipped";
  skipped.reason = "no such device";
  failed.status = "fail";
  failed.reason = "check failed";
  work.bytes += 8;
  const MicrobenchRun fresh =
      run_of({skipped, failed, work, timed("added", flipping(1)), timed("fast", flipping(1))});
  const Versus versus = compare_runs(base, fresh);
  const auto why = [&](const std::string& variant) {
    for (const RowVersus& row : versus.families[0].rows) {
      if (row.name.find(variant) == std::string::npos) continue;
      EXPECT_EQ(row.verdict, Verdict::kNotComparable) << variant;
      EXPECT_FALSE(row.ratio) << variant;
      return row.why;
    }
    return std::string("no row");
  };
  EXPECT_EQ(why("skipped"), "new: skipped: no such device");
  EXPECT_EQ(why("failed"), "new: fail: check failed");
  EXPECT_EQ(why("work"), "the declared work differs");
  EXPECT_EQ(why("gone"), "only in the base");
  EXPECT_EQ(why("added"), "only in the new run");
  EXPECT_EQ(versus.families[0].verdict, Verdict::kSame) << "by what is comparable";
  EXPECT_TRUE(versus.regressed()) << "a row that passed fails now";
}

TEST(VersusTest, OneVerdictAFamilyWithoutItsReferences) {
  const MicrobenchRun base = run_of(
      {timed("fast", flipping(1)), timed("ref", flipping(1)), timed("fast", flipping(1), "dense/gemv")});
  const MicrobenchRun fresh = run_of(
      {timed("fast", flipping(1)), timed("ref", flipping(9)), timed("fast", flipping(1.2), "dense/gemv")});
  const Versus versus = compare_runs(base, fresh);
  ASSERT_EQ(versus.families.size(), 2u);
  EXPECT_EQ(versus.families[0].name, "larosa");
  EXPECT_EQ(versus.families[0].rows.size(), 1u);
  EXPECT_EQ(versus.families[0].verdict, Verdict::kSame);
  EXPECT_EQ(versus.families[1].verdict, Verdict::kSlower);
  EXPECT_TRUE(versus.regressed());
  EXPECT_FALSE(compare_runs(base, base).regressed());
}

TEST(VersusTest, RefusesAnotherMachineAndLabelsAnotherCompiler) {
  const MicrobenchRun base = run_of({timed("fast", flipping(1))});
  MicrobenchRun fresh = base;
  fresh.origin.build.compiler = "Clang 17";
  fresh.origin.build.git_hash = "def";
  EXPECT_THAT(compare_runs(base, fresh).differences,
              ::testing::ElementsAre("git revision: abc → def", "compiler: GNU 12.2.0 → Clang 17"));
  const auto refused = [&](auto&& change) {
    MicrobenchRun foreign = base;
    change(foreign.origin);
    return testing::refusal_of([&] { compare_runs(base, foreign); });
  };
  EXPECT_THAT(refused([](Origin& o) { o.environment.cpu = "Other"; }), HasSubstr("environment.cpu is 'CPU'"));
  EXPECT_THAT(refused([](Origin& o) { o.environment.threads = 4; }), HasSubstr("environment.threads"));
  EXPECT_THAT(refused([](Origin& o) { o.environment.threads_pinned = false; }), HasSubstr("threads_pinned"));
  EXPECT_THAT(refused([](Origin& o) { o.build.sanitizers = "address"; }), HasSubstr("build.sanitizers"));
  EXPECT_THAT(refused([](Origin& o) { o.build.build_type = "Debug"; }), HasSubstr("build.build_type"));
}

TEST(VersusTest, NothingInCommonIsAnError) {
  const MicrobenchRun one = run_of({timed("fast", flipping(1))}),
                      other = run_of({timed("other", flipping(1))});
  EXPECT_THROW(compare_runs(one, other), Error);
}

TEST(VersusTest, TheTextHasOneVerdictAFamilyAndItsRows) {
  const MicrobenchRun base = run_of({timed("fast", flipping(1))}),
                      fresh = run_of({timed("fast", flipping(1.25))});
  const std::string text = versus_markdown(compare_runs(base, fresh));
  EXPECT_THAT(text, HasSubstr("| larosa | slower  |    0.80× (0.80–0.80) | 1 slower |"));
  EXPECT_THAT(text, HasSubstr("`larosa/topk/fast/bf16/n:8`"));
  EXPECT_THAT(text, HasSubstr("took turns"));
  EXPECT_THAT(text, Not(HasSubstr("What else differs")));
}

}  // namespace
}  // namespace trisect::report
