#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "reports/generator/results.hpp"
#include "tests/reports/files.hpp"

namespace trisect::report {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using ::testing::AllOf;
using testing::edit_json;
using ::testing::HasSubstr;

class ReadTest : public ::testing::Test {
 protected:
  ReadTest() {
    fs::copy(testing::golden_directory() / "microbench", microbench);
    fs::copy(testing::golden_directory() / "compare", compare);
  }

  std::string complaint(std::vector<fs::path> directories) const {
    return testing::refusal_of([&] { read_results(directories, directory.path()); });
  }

  testing::TemporaryDirectory directory;
  const fs::path microbench = directory.path() / "microbench", compare = directory.path() / "compare";
  const fs::path benchmark = microbench / "benchmark.json", manifest = microbench / "manifest.json";
};

const Row& row_named(const Results& results, const std::string& part) {
  for (const Row* row : results.rows()) {
    if (row->name.find(part) != std::string::npos) return *row;
  }
  throw std::out_of_range(part);
}

TEST_F(ReadTest, TheSamplesJoinByName) {
  const Results results = read_results({microbench, compare}, directory.path());
  ASSERT_EQ(results.runs.size(), 1u);
  ASSERT_EQ(results.comparisons.size(), 1u);
  EXPECT_EQ(results.runs[0].origin.files[0].path, "microbench/benchmark.json");
  EXPECT_EQ(results.runs[0].origin.files[0].fnv1a64.size(), 16u);
  EXPECT_EQ(results.runs[0].probe_kernel, "simd");
  EXPECT_DOUBLE_EQ(*results.runs[0].probe_gbps, 19.25);
  const Row& rotate = row_named(results, "larosa/rotate/cpu_bf16");
  EXPECT_EQ(rotate.name, "larosa/rotate/cpu_bf16/bf16/rows:1/n:2560");
  EXPECT_EQ(rotate.family(), "larosa");
  EXPECT_EQ(rotate.time_ns->samples, 3) << "aggregates are no samples";
  EXPECT_DOUBLE_EQ(rotate.time_ns->median, 720e3) << "microseconds become nanoseconds";
  EXPECT_DOUBLE_EQ(*rotate.probe_gbps, (19.2 + 19.0) / 2);
  EXPECT_EQ(row_named(results, "larosa/layer/naive/bf16/in:2560/out:17920").stage_ns.size(), 5u);
  EXPECT_EQ(row_named(results, "larosa/layer/naive/bf16/in:12800/out:2560/is_rotated:0").stage_ns.size(), 3u);
  EXPECT_EQ(results.comparisons[0].baseline().generations.size(), 6u);
  EXPECT_DOUBLE_EQ(*results.comparisons[0].probe_gbps, 19.1);
}

TEST_F(ReadTest, TheSameComparisonTwiceIsRefused) {
  const fs::path copy = directory.path() / "copy";
  fs::copy(compare, copy);
  EXPECT_THAT(complaint({compare, copy}), AllOf(HasSubstr("compare/compare.json and copy/compare.json"),
                                                HasSubstr("same run of phi2 compare")));
  edit_json(copy / "compare.json", [](Json& json) { json["started_utc"] = "2026-02-01T00:00:00Z"; });
  EXPECT_EQ(complaint({compare, copy}), "");
}

TEST_F(ReadTest, ARowThatWasCutShortKeepsItsSamples) {
  edit_json(manifest, [](Json& json) {
    json["interrupted"] = true;
    json["rows"][0]["reason"] = "interrupted after 2 of 9 repetitions";
  });
  edit_json(benchmark, [](Json& json) { json["benchmarks"].erase(2); });
  const Results results = read_results({microbench}, directory.path());
  EXPECT_EQ(results.runs[0].rows[0].time_ns->samples, 2);
  EXPECT_EQ(results.runs[0].rows[0].sample_ns.size(), 2u);
}

TEST_F(ReadTest, NothingThatDidNotPassHasATime) {
  const Results results = read_results({microbench}, directory.path());
  int without = 0;
  for (const Row* row : results.rows()) {
    EXPECT_EQ(row->time_ns.has_value(), row->status == "pass") << row->name;
    without += row->status == "pass" ? 0 : 1;
  }
  EXPECT_EQ(without, 4);
  const Row& errored = row_named(results, "onednn_packed");
  EXPECT_EQ(errored.status, "error") << "Google Benchmark's error counts against a passing manifest";
  EXPECT_EQ(errored.reason, "out of memory");
}

TEST_F(ReadTest, ZeroAndUnknownAreNotNumbers) {
  edit_json(manifest, [](Json& json) {
    json["environment"]["llc_bytes"] = 0;
    json["environment"]["processors"] = "unknown";
    json["environment"]["load_average"] = Json::array();
    json["groups"][0]["probe_before_gbps"] = nullptr;
    json["groups"][0]["probe_after_gbps"] = "unknown";
  });
  const Results results = read_results({microbench}, directory.path());
  const Environment& environment = results.runs[0].origin.environment;
  EXPECT_FALSE(environment.llc_bytes);
  EXPECT_FALSE(environment.processors);
  EXPECT_FALSE(environment.load);
  for (const auto& [key, value] : environment.all) {
    EXPECT_NE(value, "") << key;
    EXPECT_NE(value, "0") << key;
  }
  EXPECT_DOUBLE_EQ(*row_named(results, "larosa/rotate").probe_gbps, 19.25) << "the run's own probe stands in";
}

TEST_F(ReadTest, DirectoriesWithoutResults) {
  EXPECT_THAT(complaint({directory.path()}), AllOf(HasSubstr("no results here"), HasSubstr("compare.json")));
  EXPECT_THAT(complaint({directory.path() / "nowhere"}), HasSubstr("no results here"));
  fs::remove(manifest);
  EXPECT_THAT(complaint({microbench}), HasSubstr("benchmark.json without manifest.json"));
}

TEST_F(ReadTest, BrokenFiles) {
  const std::string text = testing::file_text(benchmark);
  testing::write_text(benchmark, text.substr(0, text.size() / 2));
  EXPECT_THAT(complaint({microbench}),
              AllOf(HasSubstr("benchmark.json: not valid JSON at byte"), HasSubstr("truncated")));
  testing::write_text(benchmark, "");
  EXPECT_THAT(complaint({microbench}), HasSubstr("not valid JSON"));
  testing::write_text(benchmark, "{\"benchmarks\": [{\"real_time\": NaN}]}");
  EXPECT_THAT(complaint({microbench}), HasSubstr("not valid JSON"));
  testing::write_text(benchmark, "{\"a\": \"\xff\"}");
  EXPECT_THAT(complaint({microbench}), HasSubstr("not valid JSON"));
  fs::remove(benchmark);
  fs::create_directory(benchmark);
  EXPECT_THAT(complaint({microbench}), HasSubstr("benchmark.json: is a directory"));
}

TEST_F(ReadTest, OldAndForeignFiles) {
  edit_json(manifest, [](Json& json) { json["schema_version"] = 0; });
  EXPECT_THAT(complaint({microbench}),
              HasSubstr("manifest.json: schema_version is 0, but this report reads 1 only"));
  fs::copy_file(compare / "compare.json", manifest, fs::copy_options::overwrite_existing);
  EXPECT_THAT(complaint({microbench}), HasSubstr("manifest.json: schema is \"trisect/compare\""));
}

TEST_F(ReadTest, FilesOfDifferentRuns) {
  edit_json(benchmark, [](Json& json) {
    for (Json& entry : json["benchmarks"]) entry["run_name"] = entry["run_name"].get<std::string>() + "x";
  });
  EXPECT_THAT(complaint({microbench}),
              AllOf(HasSubstr("manifest.json: 'larosa/rotate"), HasSubstr("different runs")));
}

TEST_F(ReadTest, ABenchmarkThatNobodyChecked) {
  edit_json(manifest, [](Json& json) { json["rows"].erase(0); });
  EXPECT_THAT(complaint({microbench}),
              AllOf(HasSubstr("benchmark.json: 'larosa/rotate"), HasSubstr("checked")));
}

TEST_F(ReadTest, ARowThatPassesWithoutAPassingCheck) {
  edit_json(manifest, [](Json& json) { json["rows"][0]["check"] = nullptr; });
  EXPECT_THAT(complaint({microbench}), HasSubstr("is pass, but its check is not"));
}

TEST_F(ReadTest, ATimeOfZeroIsNoTime) {
  edit_json(benchmark, [](Json& json) { json["benchmarks"][1]["real_time"] = 0; });
  EXPECT_THAT(complaint({microbench}), HasSubstr("benchmarks[1].real_time is 0"));
}

TEST_F(ReadTest, AnInterruptedRunLacksRows) {
  edit_json(benchmark, [](Json& json) { json["benchmarks"] = Json::array(); });
  edit_json(manifest, [](Json& json) { json["interrupted"] = true; });
  const Results results = read_results({microbench}, directory.path());
  for (const Row* row : results.rows()) EXPECT_FALSE(row->time_ns) << row->name;
  EXPECT_EQ(results.rows()[0]->status, "skipped");
}

TEST_F(ReadTest, TheSameBenchmarkTwice) {
  EXPECT_THAT(complaint({microbench, microbench}),
              AllOf(HasSubstr("is in microbench/benchmark.json"), HasSubstr("one of them")));
  edit_json(manifest, [](Json& json) { json["rows"].push_back(json["rows"][0]); });
  EXPECT_THAT(complaint({microbench}), HasSubstr("is listed twice"));
}

TEST_F(ReadTest, ComparisonsThatContradictThemselves) {
  const fs::path file = compare / "compare.json";
  edit_json(file, [](Json& json) { std::swap(json["sides"][0], json["sides"][1]); });
  EXPECT_THAT(
      complaint({compare}),
      HasSubstr("compare.json: sides: the first must be the baseline, which has no parts; this is larosa"));
  edit_json(file, [](Json& json) { std::swap(json["sides"][0], json["sides"][1]); });
  edit_json(file, [](Json& json) { json["sides"][1]["parts"] = Json::array(); });
  EXPECT_THAT(complaint({compare}), HasSubstr("larosa has no parts"));
  edit_json(file, [](Json& json) { json["sides"].erase(json["sides"].begin() + 1, json["sides"].end()); });
  EXPECT_THAT(complaint({compare}), HasSubstr("sides: 1, but a comparison has two or more"));
  edit_json(file, [](Json& json) {
    json["sides"].push_back(json["sides"][0]);
    json["sides"][1]["parts"] = {"larosa"};
  });
  edit_json(file, [](Json& json) { json["sides"][0]["generations"][0]["prompt"] = 7; });
  EXPECT_THAT(complaint({compare}), HasSubstr("of prompt 7, but there are 2 prompts"));
}

}  // namespace
}  // namespace trisect::report
