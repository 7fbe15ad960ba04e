// The rule by which vAttention pays, and the section about traces.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reports/generator/gnuplot.hpp"
#include "reports/generator/pictures_trace.hpp"
#include "reports/generator/report.hpp"
#include "reports/generator/trace_verdict.hpp"
#include "reports/generator/warnings.hpp"
#include "tests/reports/samples.hpp"

namespace trisect::report {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::quiet_trace;

Pays pays(double vattention, double other, double step_ratio) {
  const std::vector<TraceRun> runs = {quiet_trace("t", vattention, {{"paged", other, step_ratio}})};
  return judge_traces(runs).at(0).pays;
}

TEST(TraceVerdictTest, MemoryAndTimeDecideTogether) {
  EXPECT_EQ(pays(1e6, 2e6, 1.0), Pays::kYes);
  EXPECT_EQ(pays(1e6, 2e6, 1.019), Pays::kYes) << "the same within 2 %";
  EXPECT_EQ(pays(1e6, 2e6, 1.021), Pays::kTrade);
  EXPECT_EQ(pays(1e6, 1e6, 0.9), Pays::kYes) << "no memory, but time";
  EXPECT_EQ(pays(1.02e6, 1e6, 0.9), Pays::kTrade);
  EXPECT_EQ(pays(1e6, 1.005e6, 1.0), Pays::kNo) << "half a per cent is nothing";
  EXPECT_EQ(pays(1e6, 1.005e6, 1.2), Pays::kNo);
  EXPECT_EQ(pays(2e6, 1e6, 1.0), Pays::kNo);
}

TEST(TraceVerdictTest, NamesWhereItPaysAndWhereNot) {
  const std::vector<TraceRun> runs = {
      quiet_trace("chat", 1e6, {{"static", 4e6, 1.0}, {"growing", 1.5e6, 1.1}, {"paged", 1e6, 1.0}}),
      quiet_trace("short", 1e6, {{"static", 5e6, 1.01}, {"growing", 0.8e6, 1.0}, {"paged", 0.5e6, 1.0}})};
  EXPECT_EQ(
      trace_verdict(runs),
      "**vAttention pays against some caches and not others on tiny.** It pays against static on chat and "
      "short (75.0 % to 80.0 % less memory, steps 1.00× to 1.01×). It gives one for the other against "
      "growing on chat (33.3 % less memory, steps 1.10×). It does not pay against paged on chat and short "
      "(0.0 % "
      "to 100.0 % more memory, steps 1.00×); growing on short (25.0 % more memory, steps 1.00×).");
  EXPECT_THAT(trace_verdict({quiet_trace("t", 1e6, {{"paged", 1e6, 1.0}})}),
              AllOf(HasSubstr("does not pay on tiny"), HasSubstr("memory within 1 %")));
  EXPECT_THAT(trace_verdict({quiet_trace("t", 1e6, {{"static", 2e6, 1.0}})}),
              HasSubstr("pays against every cache it ran beside on tiny"));
}

TEST(TraceVerdictTest, LargeGranulesAreNamedAsTheCause) {
  TraceRun huge = quiet_trace("short", 1e6, {{"paged", 0.5e6, 1.0}});
  huge.granule = "huge";
  huge.granule_bytes = 2e6;
  EXPECT_DOUBLE_EQ(mean_length(huge, huge.caches.back()), 100);
  EXPECT_THAT(
      trace_verdict({quiet_trace("chat", 1e6, {{"paged", 1e6, 1.0}}), huge}),
      AllOf(HasSubstr("chat and short with granules of 2.00 MB (0.0 % to 100.0 % more memory"),
            HasSubstr("On short with granules of 2.00 MB two granules, of keys and of values, hold 4000 "
                      "tokens"),
            HasSubstr("a running request has 100 on average"), Not(HasSubstr("On chat two granules"))));
}

TEST(TraceVerdictTest, AModelIsNamedBesideItsTraceWhereThereAreSeveral) {
  TraceRun other = quiet_trace("chat", 1e6, {{"static", 2e6, 1.0}});
  other.model.name = "other";
  const TraceRun first = quiet_trace("chat", 1e6, {{"static", 2e6, 1.0}});
  EXPECT_THAT(trace_verdict({first, other}),
              AllOf(HasSubstr(first.model.name + " and other.**"), HasSubstr("on chat and chat (other) (")));
  EXPECT_THAT(trace_verdict({first, first}), Not(HasSubstr("(" + first.model.name)));
}

TEST(TraceVerdictTest, LarosaIsNamedBesideATraceWhereNotAllHaveIt) {
  TraceRun with = quiet_trace("chat", 1e6, {{"static", 2e6, 1.0}});
  with.larosa = "merged, 50 %";
  const TraceRun without = quiet_trace("chat", 1e6, {{"static", 2e6, 1.0}});
  EXPECT_THAT(trace_verdict({without, with}), HasSubstr("on chat and chat with LaRoSA (merged, 50 %) ("));
  EXPECT_THAT(trace_verdict({with, without}), HasSubstr("on chat and chat without LaRoSA ("));
  EXPECT_THAT(trace_verdict({with, with}), Not(HasSubstr("LaRoSA")));
}

TEST(TraceVerdictTest, NothingIsJudgedThatIsNotKnown) {
  EXPECT_EQ(trace_verdict({}), "");
  TraceRun run = quiet_trace("t", 1e6, {{"paged", 1e6, 1.0}});
  run.caches.back().against["paged"].step_ratio = std::nullopt;
  EXPECT_EQ(trace_verdict({run}), "");
  run.caches.pop_back();
  EXPECT_EQ(trace_verdict({run}), "") << "vattention did not run";
}

Results results_of(const TraceRun& run) {
  Results results;
  results.traces = {run};
  return results;
}

TEST(TraceSectionTest, ATraceAloneMakesAReport) {
  const Report report =
      compose(results_of(quiet_trace("chat", 1e6, {{"static", 4e6, 1.5}, {"paged", 0.9e6, 1.0}})),
              {"0.1.0", "r", ""});
  EXPECT_THAT(report.markdown, AllOf(HasSubstr("## KV caches under traffic"), HasSubstr("### Trace chat"),
                                     HasSubstr("+75.0 %, 1.50×"), HasSubstr("-11.1 %, 1.00×"),
                                     HasSubstr("](r-memory-1.svg)"), HasSubstr("-300.0 %")));
  EXPECT_EQ(report.pictures.size(), 1u);
  EXPECT_THAT(report.markdown, Not(HasSubstr("no trace (phi2 trace) is among")));
}

TEST(TraceSectionTest, AttentionIsComparedWhereBothLayoutsHaveATime) {
  const std::map<std::string, int> problem = {{"batch", 4}, {"context", 512}};
  Results results =
      testing::results_of({testing::row("vattention/decode_attention", "cpu_paged", problem, 300),
                           testing::row("vattention/decode_attention", "cpu_contiguous", problem, 200)});
  EXPECT_THAT(compose(results, {"0.1.0", "r", ""}).markdown,
              AllOf(HasSubstr("### Attention over contiguous and paged rows"), HasSubstr("1.50×"),
                    HasSubstr("faster")));
  results.runs[0].rows[0].time_ns.reset();
  EXPECT_THAT(compose(results, {"0.1.0", "r", ""}).markdown, Not(HasSubstr("### Attention over")));
}

TEST(TraceSectionTest, ARunWithoutAStepSaysSo) {
  TraceRun run = quiet_trace("chat", 1e6, {{"static", 4e6, 1.0}});
  for (TraceCache& cache : run.caches) cache.over_time.clear();
  const Report report = compose(results_of(run), {"0.1.0", "r", ""});
  EXPECT_THAT(report.markdown, HasSubstr("ended before its first step"));
  EXPECT_TRUE(report.pictures.empty());
}

TEST(TraceSectionTest, WarnsOfAccountsAndTokensThatDiffer) {
  TraceRun run = quiet_trace("chat", 1e6, {{"static", 4e6, 1.0}});
  EXPECT_THAT(warnings_of(results_of(run)), ::testing::IsEmpty());
  run.caches[0].disagreement = 0.02;
  for (std::size_t i = 0; i < 2; ++i) run.caches[i].against[run.caches[1 - i].name].same_ids = false;
  const auto found = warnings_of(results_of(run));
  ASSERT_EQ(found.size(), 2u);
  EXPECT_THAT(found[0], HasSubstr("static: committed bytes and the kernel's account differ by 2.0 %"));
  EXPECT_THAT(found[1], HasSubstr("static and vattention generated different tokens"));
  run.caches[0].preemptions = 1;
  EXPECT_EQ(warnings_of(results_of(run)).size(), 1u) << "batches differed, and so may tokens";
}

TEST(TracePictureTest, HostileNamesAndFlatLinesCanBeDrawn) {
  TraceRun run = quiet_trace("it's `x`", 1e6, {{"static", 4e6, 1.0}});
  const Picture picture = memory_picture(run, 1, "r");
  EXPECT_THAT(picture.script, Not(HasSubstr("`")));
  const auto svg = run_gnuplot(picture.script);
  if (!svg) GTEST_SKIP() << "gnuplot is not installed";
  EXPECT_THAT(*svg, HasSubstr("vattention"));
  for (TraceCache& cache : run.caches) cache.over_time.resize(1);
  EXPECT_EQ(memory_picture(run, 1, "r").script, "") << "one step is no line";
}

}  // namespace
}  // namespace trisect::report
