// A run is published whole or not at all, and a README that says something else is noticed.
#include "reports/generator/publish.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "kernels/core/error.hpp"
#include "reports/generator/gnuplot.hpp"
#include "tests/reports/files.hpp"

namespace trisect::report {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using ::testing::AllOf;
using testing::edit_json;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kName[] = "2026-01-31-example-cpu-8-cores-0123456";

constexpr char kReadme[] =
    "# A project\n\n<!-- published:run none 0 -->\n\nSome words.\n\n"
    "<!-- published:begin source -->\n<!-- published:end source -->\n\n"
    "<!-- published:begin larosa -->\nold\n<!-- published:end larosa -->\n\n"
    "<!-- published:begin vattention -->\n<!-- published:end vattention -->\n\n"
    "<!-- published:begin adaptivocab -->\n<!-- published:end adaptivocab -->\n\n"
    "<!-- published:begin together -->\n<!-- published:end together -->\n\nMore words.\n";

class PublishTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!run_gnuplot("set terminal svg\nplot 1\n")) GTEST_SKIP() << "gnuplot is not installed";
    fs::create_directories(run);
    for (const char* part : {"microbench", "sweep", "vocabulary"})
      fs::copy(testing::golden_directory() / part, run / part);
    fs::create_directories(run / "trace");
    fs::copy(testing::golden_directory() / "trace", run / "trace" / "chat");
  }
  std::string complaint() {
    return testing::refusal_of([&] { publish(run, into, "0.1.0"); });
  }
  fs::path published() { return publish(run, into, "0.1.0"); }

  testing::TemporaryDirectory directory;
  const fs::path run = directory.path() / "run", into = directory.path() / "published";
};

TEST_F(PublishTest, TheFolderHasTheReportItsPicturesAndItsInputs) {
  const fs::path folder = published();
  EXPECT_EQ(folder, into / kName);
  const std::string text = testing::file_text(folder / "report.md");
  EXPECT_THAT(text, AllOf(HasSubstr("[trace/chat/trace.json](trace/chat/trace.json)"),
                          HasSubstr("report-speedup-block")));
  EXPECT_TRUE(fs::exists(folder / "report-speedup-block-bf16.svg"));
  EXPECT_LT(fs::file_size(folder / "microbench/benchmark.json"),
            fs::file_size(run / "microbench/benchmark.json"));
  EXPECT_THAT(testing::file_text(folder / "microbench/benchmark.json"), Not(HasSubstr("\"aggregate\"")));
  EXPECT_FALSE(fs::exists(into / ("." + std::string(kName))));
  // Nothing that a number depends on is lost: the report on the copies is the report on the run.
  const auto numbers = [](const Results& results) {
    std::string all;
    for (const Row* row : results.rows())
      all += row->name + (row->time_ns ? std::to_string(row->time_ns->median) : "");
    return all;
  };
  EXPECT_EQ(numbers(read_results(result_directories(folder), folder)),
            numbers(read_results(result_directories(run), run)));
}

TEST_F(PublishTest, WhereModelsLieIsNotTold) {
  edit_json(run / "sweep/sweep.json", [](Json& json) { json["model"]["path"] = "/home/someone/phi-mini"; });
  EXPECT_EQ(Json::parse(testing::file_text(published() / "sweep/sweep.json"))["model"]["path"], "phi-mini");
}

TEST_F(PublishTest, TheSameRunGivesTheSameBytes) {
  const fs::path first = published(), second = publish(run, directory.path() / "again", "0.1.0");
  int files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(first)) {
    if (!entry.is_regular_file()) continue;
    EXPECT_EQ(testing::file_text(entry.path()),
              testing::file_text(second / entry.path().lexically_relative(first)));
    ++files;
  }
  EXPECT_GE(files, 10);
}

TEST_F(PublishTest, WhatMustNotBePublished) {
  const fs::path sweep = run / "sweep/sweep.json", manifest = run / "microbench/manifest.json";
  const std::string good = testing::file_text(sweep), good_manifest = testing::file_text(manifest);
  const auto after = [&](const std::function<void(Json&)>& change) {
    edit_json(sweep, change);
    const std::string what = complaint();
    testing::write_text(sweep, good);
    return what;
  };
  EXPECT_THAT(after([](Json& json) { json["build"]["git_dirty"] = true; }),
              AllOf(HasSubstr("not published: sweep/sweep.json"), HasSubstr("uncommitted")));
  EXPECT_THAT(after([](Json& json) { json["build"]["git_hash"] = "unknown"; }),
              HasSubstr("unknown revision"));
  EXPECT_THAT(after([](Json& json) { json["build"]["build_type"] = "Debug"; }), HasSubstr("not for speed"));
  EXPECT_THAT(after([](Json& json) { json["build"]["sanitizers"] = "address"; }), HasSubstr("sanitizers"));
  EXPECT_THAT(after([](Json& json) { json["interrupted"] = true; }), HasSubstr("interrupted"));
  EXPECT_THAT(after([](Json& json) { json["environment"]["cpu"] = "Another"; }),
              HasSubstr("several machines"));
  EXPECT_THAT(after([](Json& json) { json["settings"]["device"] = "cuda"; }), HasSubstr("emulated"));
  edit_json(manifest, [](Json& json) {
    json["accelerator"] = {
        {"name", "E"}, {"emulated", true}, {"sms", 1}, {"cache_bytes", 1}, {"bandwidth_gbps", 1}};
  });
  EXPECT_THAT(complaint(), HasSubstr("emulated"));
  testing::write_text(manifest, good_manifest);
  EXPECT_FALSE(fs::exists(into)) << "nothing is left of what was refused";
  EXPECT_EQ(complaint(), "");
  EXPECT_THAT(complaint(), HasSubstr("is published already"));
}

TEST_F(PublishTest, NoResultsNoPublication) {
  EXPECT_THROW(result_directories(directory.path() / "nowhere"), Error);
  fs::create_directories(directory.path() / "empty");
  EXPECT_THROW(result_directories(directory.path() / "empty"), Error);
}

TEST_F(PublishTest, TheReadmesTablesAreMadeFromIt) {
  published();
  const std::string relative = "published/" + std::string(kName);
  const std::string readme = updated_readme(kReadme, directory.path(), relative);
  EXPECT_THAT(readme, AllOf(HasSubstr("<!-- published:run " + relative + " "), HasSubstr("| merged global |"),
                            HasSubstr("| `static` "), HasSubstr("| domain.txt "), Not(HasSubstr("old\n")),
                            HasSubstr("Some words."), HasSubstr("More words.\n")));
  EXPECT_THAT(readme, HasSubstr("(" + relative + "/report.md)"));
  EXPECT_EQ(updated_readme(readme, directory.path(), ""), readme) << "nothing is left to do";
  EXPECT_EQ(readme_drift(readme, readme), "");
}

TEST_F(PublishTest, AnEditByHandIsSeen) {
  const fs::path folder = published();
  const std::string readme = updated_readme(kReadme, directory.path(), "published/" + std::string(kName));
  std::string edited = readme;
  const std::size_t at = edited.find("| merged global |");
  edited.replace(edited.find("×", at) - 1, 1, "7");
  EXPECT_EQ(readme_drift(edited, updated_readme(edited, directory.path(), "")), "table larosa");
  edited = readme;
  edited.replace(edited.find("Some words"), 4, "Four");
  EXPECT_EQ(readme_drift(edited, updated_readme(edited, directory.path(), "")), "") << "the text is free";

  edit_json(folder / "trace/chat/trace.json", [](Json& json) { json["trace"]["description"] = "Another."; });
  EXPECT_EQ(readme_drift(readme, updated_readme(readme, directory.path(), "")), "the published files");
}

TEST_F(PublishTest, MarkersThatCannotBeFollowed) {
  published();
  const std::string relative = "published/" + std::string(kName);
  const auto fails = [&](const std::string& readme, const std::string& published) {
    return testing::refusal_of([&] { updated_readme(readme, directory.path(), published); });
  };
  EXPECT_THAT(fails("no markers\n", ""), HasSubstr("has no line"));
  EXPECT_THAT(fails("no markers\n", relative), HasSubstr("has no line"));
  EXPECT_THAT(fails(kReadme, ""), HasSubstr("no such published run"));
  const std::string head = "<!-- published:run x 0 -->\n";
  EXPECT_THAT(fails(head + "<!-- published:begin larosa -->\n", relative), HasSubstr("has no end"));
  EXPECT_THAT(fails(head + "<!-- published:begin x -->\n<!-- published:end x -->\n", relative),
              HasSubstr("published:begin x is unknown"));
}

}  // namespace
}  // namespace trisect::report
