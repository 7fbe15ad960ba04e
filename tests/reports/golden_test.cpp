// The whole report, byte by byte. After a change that is meant: TRISECT_UPDATE_GOLDEN=1 test_report_golden,
// and read the difference.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "kernels/core/error.hpp"
#include "reports/generator/gnuplot.hpp"
#include "reports/generator/report.hpp"
#include "tests/reports/files.hpp"
#include "tests/reports/samples.hpp"

namespace trisect::report {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

Results golden_results() {
  const auto directory = testing::golden_directory();
  return read_results({directory / "microbench", directory / "compare", directory / "sweep",
                       directory / "trace", directory / "vocabulary"},
                      directory);
}

TEST(GoldenTest, TheReportIsTheCommittedOne) {
  const auto path = testing::golden_directory() / "report.md";
  const Report report = compose(golden_results(), {"0.1.0", "report", ""});
  if (std::getenv("TRISECT_UPDATE_GOLDEN") != nullptr) testing::write_text(path, report.markdown);
  EXPECT_EQ(report.markdown, testing::file_text(path));
}

TEST(GoldenTest, EveryPictureIsReferredToAndTheOtherWayRound) {
  const Report report = compose(golden_results(), {"0.1.0", "report", ""});
  ASSERT_EQ(report.pictures.size(), 13u);
  for (const Picture& picture : report.pictures)
    EXPECT_THAT(report.markdown, HasSubstr("](" + picture.file + ")"));
  const Report plain = compose(golden_results(), {"0.1.0", "report", "gnuplot is not installed"});
  EXPECT_TRUE(plain.pictures.empty());
  EXPECT_THAT(plain.markdown, Not(HasSubstr(".svg")));
  EXPECT_THAT(plain.markdown, HasSubstr("tables only, no pictures: gnuplot is not installed."));
}

TEST(GoldenTest, WithoutAGpuTheFirstLinesSaySo) {
  const Report report = compose(golden_results(), {"0.1.0", "report", ""});
  EXPECT_THAT(report.markdown, StartsWith("# What the cuts cost and save\n\n> **No GPU was present"));
}

TEST(GoldenTest, WarningsComeBeforeTheTables) {
  const Report report = compose(golden_results(), {"0.1.0", "report", ""});
  EXPECT_LT(report.markdown.find("## Warnings"), report.markdown.find("\n| "));
}

TEST(GoldenTest, HostileTextsStayText) {
  Results results = golden_results();
  results.comparisons[0].model.name = "<script>`x`|";
  results.comparisons[0].sides[1].name = results.comparisons[0].sides[1].agreement->with = "<script>`x`|";
  results.comparisons[0].sides[1].generations[0].text = "</td></table>\n\n# heading";
  results.runs[0].rows[0].reason = "a\n|b";
  results.sweeps[0].model.name = results.sweeps[0].text = "<script>`x`|";
  results.sweeps[0].rotation_origins = {"<script>"};
  results.traces[0].name = results.traces[0].description = results.traces[0].model.name = "<script>`x`|";
  results.vocabularies[0].texts[0].name = results.vocabularies[0].sides[0].name = "<script>`x`|";
  results.vocabularies[0].top[0].text = "``x\n|";
  const Report report = compose(results, {"0.1.0", "report", ""});
  EXPECT_THAT(report.markdown, Not(ContainsRegex("[^\\\\]<script")));
  EXPECT_THAT(report.markdown, Not(HasSubstr("</td></table>\n\n# heading")));
  for (const Picture& picture : report.pictures) EXPECT_THAT(picture.script, Not(HasSubstr("`")));
}

TEST(GoldenTest, ASweepAloneMakesAReport) {
  Results results;
  results.sweeps = golden_results().sweeps;
  const Report report = compose(results, {"0.1.0", "report", ""});
  EXPECT_THAT(report.markdown, HasSubstr("## Quality against sparsity: phi-mini"));
  EXPECT_THAT(report.markdown, Not(HasSubstr("Speed against quality"))) << "no speed was measured";
  EXPECT_THAT(report.markdown, HasSubstr("**On phi-mini at 60 % sparsity a calibrated rotation helps"));
  EXPECT_EQ(report.pictures.size(), 3u);
}

TEST(GoldenTest, AVocabularyAloneMakesAReport) {
  Results results;
  results.vocabularies = golden_results().vocabularies;
  const Report report = compose(results, {"0.1.0", "report", ""});
  EXPECT_THAT(report.markdown,
              HasSubstr("**phi-mini with 500 more tokens: domain.txt has 20.0 % fewer tokens"));
  EXPECT_THAT(report.markdown, HasSubstr("this is more than chance"));
  EXPECT_THAT(report.markdown, Not(HasSubstr("perplexity of"))) << "it is per token";
  EXPECT_EQ(report.pictures.size(), 1u);
}

TEST(GoldenTest, OutputLengthsWithinChanceAreNoEffect) {
  Results results;
  results.vocabularies = golden_results().vocabularies;
  VocabularyRun& run = results.vocabularies[0];
  run.sides.back().samples = run.sides[1].samples;  // 70 to 95 characters a seed, the base's 70 to 74
  EXPECT_THAT(compose(results, {"0.1.0", "report", ""}).markdown,
              HasSubstr("so this is not read as an effect"));
  for (VocabularySide& side : run.sides) side.samples.resize(3);  // one seed of both prompts, one of one
  EXPECT_THAT(compose(results, {"0.1.0", "report", ""}).markdown,
              Not(HasSubstr("the intervals over the seeds")));
  for (VocabularySide& side : run.sides) side.samples.clear(), side.quality.clear();
  EXPECT_THAT(compose(results, {"0.1.0", "report", ""}).markdown,
              Not(HasSubstr("Output lengths over seeds")));
}

TEST(GoldenTest, AnInterruptedSweepShowsWhatItHas) {
  Results results;
  results.sweeps = golden_results().sweeps;
  SweepRun& run = results.sweeps[0];
  run.origin.interrupted = true;
  run.points.resize(4);
  run.points[3].perplexity = run.points[3].kl_nats = run.points[3].agreement = std::nullopt;
  const std::string text = compose(results, {"0.1.0", "report", ""}).markdown;
  EXPECT_THAT(text, HasSubstr("The run was interrupted"));
  EXPECT_THAT(text, HasSubstr("whose perplexity is no number: 1 of 4."));
  EXPECT_THAT(text, Not(HasSubstr("**On phi-mini"))) << "none was not reached";
  run.points.clear();
  const Report empty = compose(results, {"0.1.0", "report", ""});
  EXPECT_THAT(empty.markdown, HasSubstr("The sweep ended before its first point."));
  EXPECT_TRUE(empty.pictures.empty());
}

TEST(GoldenTest, SpeedMeetsQualityWhereBothWereMeasured) {
  Results results = golden_results();
  results.comparisons.clear();
  const std::string text = compose(results, {"0.1.0", "report", ""}).markdown;
  EXPECT_THAT(text, HasSubstr("Two models meet here: quality is phi-mini's"));
  EXPECT_THAT(text, HasSubstr("](report-pareto-1.svg)"));
}

TEST(GoldenTest, PartialResultsStillMakeAReport) {
  Results results = golden_results();
  Results only_compare;
  only_compare.comparisons = results.comparisons;
  Side& larosa = only_compare.comparisons[0].sides[1];
  larosa = Side{};
  larosa.parts = {kLarosa};
  EXPECT_THAT(compose(only_compare, {"0.1.0", "report", ""}).markdown,
              HasSubstr("not finished, so not compared"));

  results.comparisons.clear();
  results.sweeps.clear();
  results.traces.clear();
  results.vocabularies.clear();
  for (Row& row : results.runs[0].rows) {
    row.time_ns.reset();
    row.status = "fail";
  }
  const Report failed = compose(results, {"0.1.0", "report", ""});
  EXPECT_TRUE(failed.pictures.empty());
  EXPECT_THAT(failed.markdown, HasSubstr("there is no verdict"));
  results.runs[0].rows.clear();
  EXPECT_THAT(compose(results, {"0.1.0", "report", ""}).markdown, HasSubstr("there is no verdict"));
}

TEST(PictureTest, TheSameBytesOnAnOpaqueGround) {
  const Report report = compose(golden_results(), {"0.1.0", "report", ""});
  for (const Picture& picture : report.pictures) {
    const auto first = run_gnuplot(picture.script);
    if (!first) GTEST_SKIP() << "gnuplot is not installed";
    EXPECT_EQ(*first, *run_gnuplot(picture.script)) << picture.file;
    EXPECT_THAT(*first, HasSubstr("<rect x=\"0\" y=\"0\" width=\"860\"")) << picture.file;
    EXPECT_THAT(*first, HasSubstr("fill=\"#ffffff\"/>")) << picture.file;
    EXPECT_THAT(*first, Not(HasSubstr("date"))) << picture.file;
  }
}

TEST(PictureTest, SweepsOfAnyShapeCanBeDrawn) {
  using testing::sweep_point;
  SweepPoint exact = sweep_point("merged", "none", 0, 10);
  exact.kl_nats = 0;
  exact.agreement = 1;
  SweepPoint far = sweep_point("merged", "none", 900, 1e12);
  far.kl_nats = 1e-9;
  SweepPoint silent = sweep_point("online", "layer", 500, std::nullopt, true);
  silent.kl_nats = silent.agreement = silent.weight_sparsity = std::nullopt;
  for (const std::vector<SweepPoint>& points :
       {std::vector{exact}, std::vector{exact, far}, std::vector{silent}, std::vector{silent, far}}) {
    SweepRun run = testing::quiet_sweep(points);
    run.model.name = "it's";
    for (const auto& dense : {run.dense_perplexity, std::optional<double>()}) {
      run.dense_perplexity = dense;
      Results results = testing::results_of(testing::block_rows(900, 500, 400, 300));
      for (Row& row : testing::block_rows(0, 900, 800, 500)) results.runs[0].rows.push_back(row);
      results.sweeps = {run};
      for (const Picture& picture : compose(results, {"0.1.0", "report", ""}).pictures) {
        if (!run_gnuplot(picture.script)) GTEST_SKIP() << "gnuplot is not installed";
      }
    }
  }
}

TEST(PictureTest, GnuplotsComplaintIsPassedOn) {
  try {
    if (!run_gnuplot("plot nonsense(\n")) GTEST_SKIP() << "gnuplot is not installed";
    FAIL() << "no complaint";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kEnvironment);
    EXPECT_THAT(error.what(), StartsWith("gnuplot: "));
  }
}

}  // namespace
}  // namespace trisect::report
