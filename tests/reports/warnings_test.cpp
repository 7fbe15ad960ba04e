#include "reports/generator/warnings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "tests/reports/samples.hpp"

namespace trisect::report {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Results quiet() {
  Results results = testing::results_of({testing::row("dense/gemv", "cpu", {{"in", 8}}, 10)});
  results.comparisons.push_back(testing::quiet_compare());
  return results;
}

std::vector<std::string> after(const std::function<void(Results&)>& change) {
  Results results = quiet();
  change(results);
  return warnings_of(results);
}

TEST(WarningsTest, AQuietRunHasNone) { EXPECT_THAT(warnings_of(quiet()), IsEmpty()); }

TEST(WarningsTest, AboutTheBuild) {
  EXPECT_THAT(after([](Results& r) { r.runs[0].origin.build.build_type = "Debug"; }),
              ElementsAre(AllOf(HasSubstr("Built as Debug"), HasSubstr("benchmark.json"))));
  EXPECT_THAT(after([](Results& r) { r.runs[0].origin.build.sanitizers = "address"; }),
              ElementsAre(HasSubstr("sanitizers (address)")));
  EXPECT_THAT(after([](Results& r) { r.comparisons[0].origin.build.git_dirty = true; }),
              ElementsAre(AllOf(HasSubstr("uncommitted"), HasSubstr("compare.json"))));
}

TEST(WarningsTest, AboutTheMachine) {
  EXPECT_THAT(after([](Results& r) { r.runs[0].origin.environment.threads_pinned = false; }),
              ElementsAre(HasSubstr("not pinned")));
  EXPECT_THAT(after([](Results& r) { r.runs[0].origin.environment.threads_pinned.reset(); }),
              ElementsAre(HasSubstr("pinned is unknown")));
  EXPECT_THAT(after([](Results& r) { r.runs[0].origin.environment.governor = "powersave"; }),
              ElementsAre(HasSubstr("powersave")));
  EXPECT_THAT(after([](Results& r) { r.runs[0].origin.environment.load = 1.5; }),
              ElementsAre(AllOf(HasSubstr("load average at the start, on 2 processors"),
                                HasSubstr("(`benchmark.json` 1.50)"))));
  EXPECT_THAT(after([](Results& r) {
                r.runs[0].origin.environment.load = 1.5;
                r.comparisons[0].origin.environment.load = 1.75;
              }),
              ElementsAre(HasSubstr("(`benchmark.json` 1.50, `compare.json` 1.75)")));
  EXPECT_THAT(after([](Results& r) { r.runs[0].origin.environment.load.reset(); }), IsEmpty());
}

TEST(WarningsTest, OneSentenceForSeveralInputs) {
  EXPECT_THAT(after([](Results& r) {
                for (Origin* origin : {&r.runs[0].origin, &r.comparisons[0].origin})
                  origin->environment.governor = "unknown";
              }),
              ElementsAre(AllOf(HasSubstr("`benchmark.json`, `compare.json`"))));
}

TEST(WarningsTest, WhatEveryInputSharesNamesNone) {
  EXPECT_THAT(after([](Results& r) {
                r.sweeps.push_back(testing::quiet_sweep({}));
                for (const Origin* origin : r.origins())
                  const_cast<Origin*>(origin)->environment.governor = "unknown";
              }),
              ElementsAre(HasSubstr("(all inputs)")));
}

TEST(WarningsTest, RowsWithoutANumberAreOneLineAReason) {
  EXPECT_THAT(after([](Results& r) {
                r.runs[0].rows.resize(4, r.runs[0].rows[0]);
                for (Row& row : r.runs[0].rows) {
                  row.status = "skipped";
                  row.reason = &row == &r.runs[0].rows.back() ? "no such device" : "takes two rows and more";
                  row.time_ns.reset();
                }
              }),
              ElementsAre(AllOf(HasSubstr("3 of 4, such as "), HasSubstr("(takes two rows and more)")),
                          AllOf(HasSubstr("1 of 4, `"), HasSubstr("(no such device)"))));
}

TEST(WarningsTest, EmulatedDevicesAreNamed) {
  EXPECT_THAT(after([](Results& r) {
                r.runs[0].accelerator = Accelerator{"E", true, {}};
              }),
              ElementsAre(HasSubstr("emulated")));
  EXPECT_THAT(after([](Results& r) { r.runs[0].accelerator = Accelerator{"G", false, {}}; }), IsEmpty());
  EXPECT_THAT(after([](Results& r) { r.comparisons[0].settings.device = "cuda"; }),
              ElementsAre(HasSubstr("a machine without a GPU")));
  EXPECT_THAT(after([](Results& r) {
                r.comparisons[0].settings.device = "cuda";
                r.comparisons[0].origin.environment.gpu = r.runs[0].origin.environment.gpu = "A GPU";
              }),
              IsEmpty());
}

TEST(WarningsTest, AboutInterruption) {
  EXPECT_THAT(after([](Results& r) { r.runs[0].origin.interrupted = true; }),
              ElementsAre(HasSubstr("interrupted")));
}

TEST(WarningsTest, NoiseAboveFivePercentOnly) {
  const auto with_spread = [](double spread) {
    return after(
        [&](Results& r) { r.runs[0].rows[0].time_ns->q3 = r.runs[0].rows[0].time_ns->q1 * (1 + spread); });
  };
  EXPECT_THAT(with_spread(0.049), IsEmpty());
  EXPECT_THAT(with_spread(0.06), ElementsAre(AllOf(HasSubstr("1 of 1 timed row"), HasSubstr("6.0 %"))));
}

TEST(WarningsTest, ProbesThatFlip) {
  EXPECT_THAT(after([](Results& r) { r.runs[0].groups[0].probe_after_gbps = 8.8; }), IsEmpty());
  EXPECT_THAT(
      after([](Results& r) { r.runs[0].groups[0].probe_after_gbps = 5; }),
      ElementsAre(AllOf(HasSubstr("1 group"), HasSubstr("2.00×")), HasSubstr("from 5.00 to 10.0 GB/s")));
  EXPECT_THAT(after([](Results& r) {
                r.runs[0].groups.push_back({"other", 5.0, 5.0});
              }),
              ElementsAre(HasSubstr("from 5.00 to 10.0 GB/s")));
  EXPECT_THAT(after([](Results& r) { r.runs[0].groups.clear(); }),
              ElementsAre(HasSubstr("No bandwidth probe")));
}

TEST(WarningsTest, RowsWithoutANumberAreCountedByKind) {
  const auto with_status = [](const char* status) {
    return after([&](Results& r) {
      r.runs[0].rows[0].status = status;
      r.runs[0].rows[0].reason = "why | so";
      r.runs[0].rows[0].time_ns.reset();
    });
  };
  EXPECT_THAT(with_status("fail"),
              ElementsAre(AllOf(HasSubstr("failed the check"), HasSubstr("why \\| so"))));
  EXPECT_THAT(with_status("mistrusted"), ElementsAre(HasSubstr("proves nothing")));
  EXPECT_THAT(with_status("skipped"), ElementsAre(HasSubstr("skipped, which is not a pass")));
  EXPECT_THAT(with_status("error"), ElementsAre(HasSubstr("ended with an error")));
}

TEST(WarningsTest, FasterThanTheMemoryIsAFault) {
  const auto with_bytes = [](double bytes, const char* weights, const char* op) {
    return after([&](Results& r) {
      r.runs[0].rows[0].bytes = bytes;
      r.runs[0].rows[0].weights = weights;
      r.runs[0].rows[0].op = op;
    });
  };
  // 10 µs at 10 GB/s are 100 kB.
  EXPECT_THAT(with_bytes(104e3, "cold", "dense/gemv"), IsEmpty());
  EXPECT_THAT(with_bytes(120e3, "cold", "dense/gemv"), ElementsAre(HasSubstr("120.0 %")));
  EXPECT_THAT(with_bytes(120e3, "none", "dense/gemv"), IsEmpty());
  EXPECT_THAT(with_bytes(120e3, "cold", "larosa/layer"), IsEmpty())
      << "declares the bytes of another computation";
}

TEST(WarningsTest, AboutComparisons) {
  EXPECT_THAT(
      after([](Results& r) { r.comparisons[0].sides[0].generations.pop_back(); }),
      ElementsAre(AllOf(HasSubstr("baseline side has 2 repetitions"), HasSubstr("fewer than three"))));
  EXPECT_THAT(after([](Results& r) { r.comparisons[0].sides[1].generations.clear(); }),
              ElementsAre(HasSubstr("larosa side finished no repetition")));
  EXPECT_THAT(after([](Results& r) {
                r.comparisons[0].sides[1].check = SideCheck{false, 6, 0.3, 0.05};
              }),
              ElementsAre(HasSubstr("larosa side does not compute")));
  EXPECT_THAT(after([](Results& r) {
                r.comparisons[0].sides[1].check = SideCheck{true, 6, 0.01, 0.05};
              }),
              IsEmpty());
  EXPECT_THAT(after([](Results& r) { r.comparisons[0].sides[0].generations[0].decode_s *= 2; }),
              ElementsAre(AllOf(HasSubstr("Noise"), HasSubstr("baseline"))));
}

TEST(WarningsTest, InputsThatDoNotBelongTogether) {
  EXPECT_THAT(after([](Results& r) { r.comparisons[0].origin.environment.cpu = "another"; }),
              ElementsAre(HasSubstr("different machines")));
  EXPECT_THAT(after([](Results& r) { r.comparisons[0].origin.build.git_hash = "another"; }),
              ElementsAre(HasSubstr("different revisions")));
  EXPECT_THAT(after([](Results& r) { r.comparisons[0].origin.build.flags = "-O3"; }),
              ElementsAre(HasSubstr("compiled differently")));
}

}  // namespace
}  // namespace trisect::report
