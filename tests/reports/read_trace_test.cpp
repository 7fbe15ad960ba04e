// trace.json: what the reader takes over and what it refuses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "kernels/core/error.hpp"
#include "reports/generator/results.hpp"
#include "tests/reports/files.hpp"

namespace trisect::report {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

class ReadTraceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::copy(testing::golden_directory() / "trace", trace, fs::copy_options::recursive);
  }

  void edit(const std::function<void(Json&)>& change) { testing::edit_json(file, change); }
  TraceRun read() { return read_results({trace}, directory.path()).traces.at(0); }
  std::string complaint() {
    return testing::refusal_of([&] { read(); });
  }

  testing::TemporaryDirectory directory;
  const fs::path trace = directory.path() / "trace", file = trace / "trace.json";
};

TEST_F(ReadTraceTest, WhatItHolds) {
  const TraceRun run = read();
  EXPECT_EQ(run.origin.program, "phi2 trace");
  EXPECT_EQ(run.origin.files.at(0).path, "trace/trace.json");
  EXPECT_EQ(run.name, "chat");
  EXPECT_EQ(run.slots, 8);
  EXPECT_EQ(run.granule_bytes, 4096);
  EXPECT_EQ(run.token_bytes, 7680);
  ASSERT_EQ(run.caches.size(), 4u);
  const TraceCache& vattention = *run.find("vattention");
  EXPECT_GT(vattention.average.committed, vattention.average.used);
  EXPECT_GT(vattention.highest, 0);
  EXPECT_GT(*vattention.beside("static")->saved, 0);
  EXPECT_TRUE(vattention.beside("paged")->same_ids);
  EXPECT_EQ(vattention.beside("lazy"), nullptr);
  EXPECT_EQ(vattention.accounts, 13);
  EXPECT_LE(vattention.disagreement, 0.01);
  EXPECT_GT(vattention.steady_steps, 0);
  EXPECT_FALSE(vattention.over_time.empty());
}

TEST_F(ReadTraceTest, NullIsNoNumber) {
  edit([](Json& json) {
    Json& run = json["runs"][3];
    run["step"] = run["tokens_per_s"] = nullptr;
    run["against"]["paged"]["step_ratio"] = run["against"]["paged"]["saved_fraction"] = nullptr;
    json["settings"]["budget_bytes"] = 1000000;
  });
  const TraceRun run = read();
  EXPECT_EQ(run.budget, 1e6);
  EXPECT_FALSE(run.caches[3].step_p50_s || run.caches[3].tokens_per_s ||
               run.caches[3].beside("paged")->step_ratio || run.caches[3].beside("paged")->saved);
}

TEST_F(ReadTraceTest, KernelsAccountsThatDifferAreKept) {
  edit([](Json& json) {
    json["runs"][0]["kernel_account"] =
        Json::array({{{"step", 1}, {"committed_bytes", 100}, {"resident_bytes", 80}},
                     {{"step", 2}, {"committed_bytes", 0}, {"resident_bytes", 0}}});
  });
  EXPECT_DOUBLE_EQ(read().caches[0].disagreement, 0.2);
  EXPECT_EQ(read().caches[0].left, 0);
}

TEST_F(ReadTraceTest, BrokenFiles) {
  testing::write_text(file, testing::file_text(testing::golden_directory() / "compare" / "compare.json"));
  EXPECT_THAT(complaint(), HasSubstr("schema is \"trisect/compare\""));
  testing::write_text(file, "{");
  EXPECT_THAT(complaint(), HasSubstr("not valid JSON"));
}

TEST_F(ReadTraceTest, FieldsOfAnotherSort) {
  edit([](Json& json) { json["runs"][1]["kv_cache"] = "magic"; });
  EXPECT_THAT(complaint(), HasSubstr("runs[1].kv_cache is \"magic\", must be one of static"));
  edit([](Json& json) {
    json["runs"][1]["kv_cache"] = "growing";
    json["runs"][1]["against"]["static"]["same_ids"] = "yes";
  });
  EXPECT_THAT(complaint(), HasSubstr("runs[1].against.static.same_ids is \"yes\""));
  edit([](Json& json) {
    json["runs"][1]["against"]["static"]["same_ids"] = true;
    json["runs"][1]["over_time"][0]["used_bytes"] = -1;
  });
  EXPECT_THAT(complaint(), HasSubstr("runs[1].over_time[0].used_bytes is -1"));
}

TEST_F(ReadTraceTest, NumbersThatContradictEachOther) {
  edit([](Json& json) { json["runs"][3]["against"]["static"]["saved_fraction"] = 0.999; });
  EXPECT_THAT(complaint(), AllOf(HasSubstr("vattention is said to save 0.9990 of static's committed bytes"),
                                 HasSubstr("run the trace again")));
  edit([](Json& json) {
    json["runs"][3]["against"]["static"]["saved_fraction"] = nullptr;
    json["runs"][3]["average"]["used_bytes"] = 1000000000;
  });
  EXPECT_THAT(complaint(), HasSubstr("runs[3].average.used_bytes is 1000000000, more than committed_bytes"));
}

TEST_F(ReadTraceTest, RunsThatAreMissingOrTwice) {
  edit([](Json& json) { json["runs"].erase(0); });
  EXPECT_THAT(complaint(), HasSubstr("growing is compared with static, of which there is no run"));
  edit([](Json& json) { json["runs"][1] = json["runs"][0]; });
  EXPECT_THAT(complaint(), HasSubstr("runs[1]: growing is listed twice"));
}

TEST_F(ReadTraceTest, TheSameTraceTwiceIsRefused) {
  fs::copy(trace, directory.path() / "copy");
  EXPECT_THROW(read_results({trace, directory.path() / "copy"}, directory.path()), Error);
}

}  // namespace
}  // namespace trisect::report
