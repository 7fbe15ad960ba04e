#include "microbench/harness/reporter.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace trisect::microbench {
namespace {

using Sample = benchmark::BenchmarkReporter::Run;

class OneRow : public Group {
 public:
  explicit OneRow(int repetitions) : Group("group") {
    Row row;
    row.benchmark = "a/b";
    row.repetitions = repetitions;
    rows().push_back(std::make_unique<Row>(row));
  }
  void prepare(Session&) override {}
  void register_benchmarks(Session&) override {}
  void release() override {}
  Row& row() { return *rows()[0]; }
};

class Counting : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context& context) override {
    ++contexts;
    width = context.name_field_width;
    return true;
  }
  void ReportRuns(const std::vector<Sample>& given) override { runs += given.size(); }
  void Finalize() override { ++ends; }
  int contexts = 0, ends = 0;
  std::size_t width = 0, runs = 0;
};

Sample sample(const std::string& name) {
  Sample run;
  run.run_name.function_name = name;
  run.real_accumulated_time = 1e-3;
  run.repetition_index = 0;
  run.repetitions = 1;
  run.family_index = run.per_family_instance_index = 0;
  return run;
}

struct ReporterTest : ::testing::Test {
  ReporterTest() {
    group.row().samples.resize(1);
    reporter.expect(group);
  }
  nlohmann::json benchmarks() { return nlohmann::json::parse(reporter.json())["benchmarks"]; }

  OneRow group{1};
  Counting display;
  Reporter reporter{&display, 50};
};

TEST_F(ReporterTest, WritesValidJsonOfNothing) {
  OneRow fresh{1};
  reporter.expect(fresh);
  EXPECT_EQ(benchmarks().size(), 0u);
}

TEST_F(ReporterTest, LetsNoNanIntoTheJson) {
  Sample run = sample("a/b");
  run.real_accumulated_time = std::numeric_limits<double>::quiet_NaN();
  run.cpu_accumulated_time = std::numeric_limits<double>::infinity();
  run.counters["bad"] = std::nan("");
  run.counters["worse"] = -std::numeric_limits<double>::infinity();
  run.counters["good"] = 4.0;
  reporter.ReportRuns({run});
  const auto json = benchmarks();
  ASSERT_EQ(json.size(), 1u);
  EXPECT_EQ(json[0]["good"], 4.0);
  EXPECT_FALSE(json[0].contains("bad") || json[0].contains("worse"));
}

TEST_F(ReporterTest, TellsOfRepetitionsBeforeTheLibraryDoes) {
  OneRow running{3};
  running.row().iterations = 10;
  running.row().samples = {{2e-3, {{"product_ns", 5.0}, {"bad", std::nan("")}}},
                           {std::numeric_limits<double>::infinity(), {}}};
  reporter.expect(running);
  auto json = benchmarks();
  ASSERT_EQ(json.size(), 2u);
  EXPECT_EQ(json[0]["run_name"], "a/b");
  EXPECT_EQ(json[0]["run_type"], "iteration");
  EXPECT_NEAR(json[0]["real_time"].get<double>(), 2e5, 1e-6);  // ns: 2 ms over 10 calls
  EXPECT_EQ(json[0]["product_ns"], 5.0);
  EXPECT_FALSE(json[0].contains("bad"));
  EXPECT_EQ(json[1]["repetition_index"], 1);

  running.row().samples.resize(3);
  reporter.ReportRuns({sample("a/b"), sample("a/b"), sample("a/b")});
  EXPECT_EQ(benchmarks().size(), 3u) << "what the library reported is not told twice";
}

TEST_F(ReporterTest, TellsNothingOfARowThatFailedMeanwhile) {
  group.row().give_up(Status::kFail, "check failed");
  EXPECT_EQ(benchmarks().size(), 0u);
}

TEST_F(ReporterTest, OpensAndClosesTheDisplayOnce) {
  for (int group_number = 0; group_number < 3; ++group_number) {
    reporter.ReportContext(benchmark::BenchmarkReporter::Context());
    reporter.ReportRuns({sample("a/b")});
    reporter.Finalize();
  }
  reporter.finish();
  EXPECT_EQ(display.contexts, 1);
  EXPECT_EQ(display.ends, 1);
  EXPECT_EQ(display.runs, 3u);
  EXPECT_EQ(display.width, 50u);
}

TEST_F(ReporterTest, NumbersFamiliesThroughout) {
  OneRow other{1};
  other.row().benchmark = "c/d";
  other.row().samples.resize(1);
  reporter.ReportRuns({sample("a/b")});
  reporter.expect(other);
  reporter.ReportRuns({sample("c/d")});
  EXPECT_EQ(benchmarks()[0]["family_index"], 0);
  EXPECT_EQ(benchmarks()[1]["family_index"], 1);
}

TEST_F(ReporterTest, RefusesANameThatWasNotAnnounced) {
  EXPECT_THROW(reporter.ReportRuns({sample("x/y")}), Error);
}

TEST_F(ReporterTest, KeepsNoNumbersOfARowThatFailed) {
  Sample failed = sample("a/b");
  failed.error_occurred = true;
  failed.error_message = "check failed";
  group.row().give_up(Status::kFail, "check failed");
  reporter.ReportRuns({sample("a/b"), failed});
  const auto json = benchmarks();
  ASSERT_EQ(json.size(), 1u);
  EXPECT_EQ(json[0]["error_message"], "check failed");
}

TEST_F(ReporterTest, KeepsTheCompletedRepetitionsOfARowThatWasCutOff) {
  OneRow cut{3};
  cut.row().samples.resize(2);
  reporter.expect(cut);
  Sample interrupted = sample("a/b"), mean = sample("a/b");
  interrupted.error_occurred = true;
  mean.run_type = Sample::RT_Aggregate;
  mean.aggregate_name = "mean";
  reporter.ReportRuns({sample("a/b"), sample("a/b"), interrupted});
  reporter.ReportRuns({mean});
  EXPECT_EQ(benchmarks().size(), 2u);
}

}  // namespace
}  // namespace trisect::microbench
