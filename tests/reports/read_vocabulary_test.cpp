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
using ::testing::AnyOf;
using ::testing::HasSubstr;

class ReadVocabularyTest : public ::testing::Test {
 protected:
  ReadVocabularyTest() { fs::copy(testing::golden_directory() / "vocabulary", input); }

  Results read() const { return read_results({input}, directory.path()); }

  /// The line with which the changed file is refused, "" when it is not.
  std::string complaint(const std::function<void(Json&)>& change) const {
    const char* const name = "vocabulary.json";
    fs::copy_file(testing::golden_directory() / "vocabulary" / name, input / name,
                  fs::copy_options::overwrite_existing);
    testing::edit_json(input / name, change);
    const std::string line = testing::refusal_of([&] { read(); });
    EXPECT_THAT(line, AnyOf("", HasSubstr("vocabulary.json: ")));
    return line;
  }

  testing::TemporaryDirectory directory;
  const fs::path input = directory.path() / "vocabulary";
};

TEST_F(ReadVocabularyTest, WhatItHolds) {
  const Results results = read();
  ASSERT_EQ(results.vocabularies.size(), 1u);
  const VocabularyRun& run = results.vocabularies[0];
  EXPECT_EQ(run.origin.program, "phi2 vocabulary");
  EXPECT_EQ(run.added, 500);
  EXPECT_EQ(run.seeds, 3);
  EXPECT_EQ(run.prompts, 2);
  ASSERT_EQ(run.texts.size(), 2u);
  EXPECT_DOUBLE_EQ(run.texts[0].reduction(), 0.2);
  EXPECT_EQ(run.texts[1].patched_words.size(), 8u);
  EXPECT_EQ(run.top.at(1).parts, 3);
  ASSERT_EQ(run.sides.size(), 3u);
  EXPECT_FALSE(run.sides[0].patched);
  EXPECT_FALSE(run.sides[1].quality.at(1).bits_per_character) << "null in the file";
  EXPECT_EQ(run.sides[2].samples.size(), 6u);
  EXPECT_TRUE(run.sides[2].samples[4].ended);
}

TEST_F(ReadVocabularyTest, WhatContradictsItself) {
  EXPECT_THAT(complaint([](Json& json) { json["texts"] = Json::array(); }), HasSubstr("texts is empty"));
  EXPECT_THAT(complaint([](Json& json) { json["texts"][0]["base_tokens"] = 0; }),
              HasSubstr("texts[0].base_tokens is 0"));
  EXPECT_THAT(complaint([](Json& json) { json["texts"][1]["base_tokens_per_word"][1] = 601; }),
              HasSubstr("texts[1]: base_tokens_per_word has 761 words, patched_tokens_per_word 760"));
  EXPECT_THAT(complaint([](Json& json) { json["sides"].erase(0); }),
              HasSubstr("must begin with the base model"));
  EXPECT_THAT(complaint([](Json& json) { json["sides"][2]["patched"] = false; }),
              HasSubstr("end with the adapted one"));
  EXPECT_THAT(complaint([](Json& json) { json["sides"][1]["quality"][0]["tokens"] = 0; }),
              HasSubstr("sides[1].quality[0]: the text is empty"));
  EXPECT_THAT(complaint([](Json& json) { json["sides"][0].erase("samples"); }), HasSubstr("samples"));
  EXPECT_THAT(complaint([](Json& json) { json["settings"]["patch"] = nullptr; }), HasSubstr("patch"));
}

TEST_F(ReadVocabularyTest, TheSameRunTwiceIsRefused) {
  fs::copy(input, directory.path() / "copy");
  EXPECT_THAT(testing::refusal_of([&] {
                read_results({input, directory.path() / "copy"}, directory.path());
              }),
              HasSubstr("same run of phi2 vocabulary"));
}

}  // namespace
}  // namespace trisect::report
