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
using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ReadSweepTest : public ::testing::Test {
 protected:
  ReadSweepTest() { fs::copy(testing::golden_directory() / "sweep", sweep); }

  void edit(const std::function<void(Json&)>& change) const { testing::edit_json(file, change); }
  Results read() const { return read_results({sweep}, directory.path()); }

  /// The line with which the file is refused, "" when it is not.
  std::string complaint() const {
    const std::string line = testing::refusal_of([&] { read(); });
    EXPECT_THAT(line, AnyOf("", HasSubstr("sweep.json: ")));
    return line;
  }

  testing::TemporaryDirectory directory;
  const fs::path sweep = directory.path() / "sweep", file = sweep / "sweep.json";
};

TEST_F(ReadSweepTest, WhatItHolds) {
  const Results results = read();
  ASSERT_EQ(results.sweeps.size(), 1u);
  const SweepRun& run = results.sweeps[0];
  EXPECT_EQ(run.origin.program, "phi2 evaluate");
  EXPECT_EQ(run.origin.files.at(0).path, "sweep/sweep.json");
  EXPECT_EQ(run.model.name, "phi-mini");
  EXPECT_EQ(run.text, "general.txt");
  EXPECT_EQ(run.text_hash, "8899aabbccddeeff");
  EXPECT_EQ(run.predicted_tokens, 1530);
  EXPECT_DOUBLE_EQ(*run.dense_perplexity, 40);
  EXPECT_DOUBLE_EQ(run.coefficient_in, 0.8);
  EXPECT_THAT(run.rotation_origins,
              ElementsAre("calibrated on calibration.txt (16384 tokens)", "random", "none"));
  EXPECT_EQ(run.points.size(), 48u);
  EXPECT_EQ(run.points[0].sparsity_permille, 200);
  EXPECT_EQ(results.origins().size(), 1u);
}

TEST_F(ReadSweepTest, NullIsNoNumber) {
  edit([](Json& json) {
    for (const char* key : {"weight_sparsity", "perplexity", "nll_nats", "kl_nats", "agreement"})
      json["points"][0][key] = nullptr;
    json["dense"]["perplexity"] = nullptr;
  });
  const SweepRun run = read().sweeps.at(0);
  EXPECT_FALSE(run.dense_perplexity);
  EXPECT_FALSE(run.points[0].weight_sparsity || run.points[0].perplexity || run.points[0].kl_nats ||
               run.points[0].agreement);
}

TEST_F(ReadSweepTest, AnInterruptedSweepKeepsItsPoints) {
  edit([](Json& json) {
    json["interrupted"] = true;
    json["points"].erase(json["points"].begin() + 5, json["points"].end());
  });
  EXPECT_EQ(read().sweeps.at(0).points.size(), 5u);
  edit([](Json& json) { json["points"] = Json::array(); });
  EXPECT_EQ(read().sweeps.at(0).points.size(), 0u);
}

TEST_F(ReadSweepTest, BrokenFiles) {
  const std::string text = testing::file_text(file);
  testing::write_text(file, text.substr(0, text.size() / 2));
  EXPECT_THAT(complaint(), AllOf(HasSubstr("not valid JSON at byte"), HasSubstr("truncated")));
  testing::write_text(file, "");
  EXPECT_THAT(complaint(), HasSubstr("not valid JSON"));
  testing::write_text(file, testing::file_text(testing::golden_directory() / "compare" / "compare.json"));
  EXPECT_THAT(complaint(), HasSubstr("schema is \"trisect/compare\""));
}

TEST_F(ReadSweepTest, FieldsOfAnotherSort) {
  edit([](Json& json) { json["points"][2]["mode"] = "magic"; });
  EXPECT_THAT(complaint(), HasSubstr("points[2].mode is \"magic\", must be one of naive, online, merged"));
  edit([](Json& json) {
    json["points"][2]["mode"] = "online";
    json["points"][3]["agreement"] = 1.5;
  });
  EXPECT_THAT(complaint(), HasSubstr("points[3].agreement is 1.5, must be at most 1"));
  edit([](Json& json) {
    json["points"][3]["agreement"] = 1;
    json["model"]["parameters"] = "many";
  });
  EXPECT_THAT(complaint(), HasSubstr("model.parameters is \"many\""));
}

TEST_F(ReadSweepTest, NumbersThatContradictEachOther) {
  edit([](Json& json) { json["points"][1]["perplexity"] = 20.0; });
  EXPECT_THAT(complaint(),
              AllOf(HasSubstr("points[1].perplexity is 20, but nll_nats is"), HasSubstr("run the sweep")));
  edit([](Json& json) {
    json["points"][1]["perplexity"] = 0.5;
    json["points"][1]["nll_nats"] = nullptr;
  });
  EXPECT_THAT(complaint(), HasSubstr("points[1].perplexity is 0.5, must be at least 1"));
  edit([](Json& json) {
    json["points"][1]["perplexity"] = nullptr;
    json["points"][1]["kl_nats"] = -0.5;
  });
  EXPECT_THAT(complaint(), HasSubstr("points[1].kl_nats is -0.5"));
  edit([](Json& json) {
    json["points"][1]["kl_nats"] = -1e-9;
    json["dense"]["perplexity"] = 30;
  });
  EXPECT_THAT(complaint(), HasSubstr("dense.perplexity is 30"));
  edit([](Json& json) {
    json["dense"]["perplexity"] = nullptr;
    json["text"]["predicted_tokens"] = 5000;
  });
  EXPECT_THAT(complaint(), HasSubstr("text.predicted_tokens is 5000, more than text.tokens"));
}

TEST_F(ReadSweepTest, PointsOfTwoSweepsInOne) {
  edit([](Json& json) { json["points"].push_back(json["points"][0]); });
  EXPECT_THAT(complaint(),
              HasSubstr("points[48]: mode online, rotation layer at 200 permille in decoding alone is "
                        "listed twice"));
  edit([](Json& json) { json["points"][48]["coefficient_in"] = 1.0; });
  EXPECT_THAT(complaint(),
              HasSubstr("points[48].coefficient_in is 1.0, but points[0].coefficient_in is 0.8"));
}

TEST_F(ReadSweepTest, TheSameSweepTwiceIsRefused) {
  fs::copy(sweep, directory.path() / "copy");
  EXPECT_THAT(
      testing::refusal_of([&] {
        read_results({sweep, directory.path() / "copy"}, directory.path());
      }),
      AllOf(HasSubstr("sweep/sweep.json and copy/sweep.json"), HasSubstr("same run of phi2 evaluate")));
}

}  // namespace
}  // namespace trisect::report
