// Broken and foreign tokenizer.json files.
#include "integration/phi2/tokenizer/tokenizer_file.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>

#include "tests/integration/model/scratch.hpp"
#include "tests/integration/tokenizer/tiny_tokenizer.hpp"

namespace trisect::phi2 {
namespace {

using Json = nlohmann::json;

void expect_refused(const std::filesystem::path& path, const std::string& field) {
  expect_error([&] { BpeTokenizer::load(path); }, {path.string(), field});
}

struct Case {
  const char* field;
  std::function<void(Json&)> change;
};

void PrintTo(const Case& refused, std::ostream* out) { *out << refused.field; }

class Refused : public ::testing::TestWithParam<Case> {};

TEST_P(Refused, NamesTheField) {
  Json json = tiny_tokenizer();
  GetParam().change(json);
  const TemporaryFile file(json.dump());
  expect_refused(file.path(), GetParam().field);
}

const Case kForeign[] = {
    {"version", [](Json& j) { j["version"] = "2.0"; }},
    {"normalizer",
     [](Json& j) {
       j["normalizer"] = {{"type", "NFC"}};
     }},
    {"pre_tokenizer", [](Json& j) { j["pre_tokenizer"] = nullptr; }},
    {"pre_tokenizer.type", [](Json& j) { j["pre_tokenizer"]["type"] = "Metaspace"; }},
    {"post_processor.type",
     [](Json& j) {
       j["post_processor"] = {{"type", "TemplateProcessing"}};
     }},
    {"decoder", [](Json& j) { j.erase("decoder"); }},
    {"decoder.type", [](Json& j) { j["decoder"]["type"] = "WordPiece"; }},
    {"model.type", [](Json& j) { j["model"]["type"] = "Unigram"; }},
    {"model.dropout", [](Json& j) { j["model"]["dropout"] = 0.1; }},
    {"model.continuing_subword_prefix", [](Json& j) { j["model"]["continuing_subword_prefix"] = "##"; }},
    {"model.end_of_word_suffix", [](Json& j) { j["model"]["end_of_word_suffix"] = "</w>"; }},
    {"added_tokens[0].single_word", [](Json& j) { j["added_tokens"][0]["single_word"] = true; }},
    {"added_tokens[1].lstrip", [](Json& j) { j["added_tokens"][1]["lstrip"] = true; }},
    {"added_tokens[1].rstrip", [](Json& j) { j["added_tokens"][1]["rstrip"] = true; }},
};
INSTANTIATE_TEST_SUITE_P(Foreign, Refused, ::testing::ValuesIn(kForeign));

const Case kBroken[] = {
    {"the document", [](Json& j) { j = Json::array(); }},
    {"pre_tokenizer.type", [](Json& j) { j["pre_tokenizer"]["type"] = 1; }},
    {"pre_tokenizer.add_prefix_space", [](Json& j) { j["pre_tokenizer"].erase("add_prefix_space"); }},
    {"pre_tokenizer.use_regex", [](Json& j) { j["pre_tokenizer"]["use_regex"] = "yes"; }},
    {"model", [](Json& j) { j["model"] = 7; }},
    {"model.ignore_merges", [](Json& j) { j["model"]["ignore_merges"] = 1; }},
    {"model.vocab", [](Json& j) { j["model"]["vocab"] = Json::array(); }},
    {"model.vocab", [](Json& j) { j["model"]["vocab"] = Json::object(); }},
    {"model.vocab", [](Json& j) { j["model"].erase("vocab"); }},
    {"\"ab\" 97", [](Json& j) { j["model"]["vocab"]["ab"] = 'a'; }},
    {"\"ab\" 1000000000000", [](Json& j) { j["model"]["vocab"]["ab"] = 1000000000000; }},
    {"\"ab\" 260", [](Json& j) { j["model"]["vocab"]["ab"] = 260; }},
    {"\"ab\" -1", [](Json& j) { j["model"]["vocab"]["ab"] = -1; }},
    {"\"ab\" 256.0", [](Json& j) { j["model"]["vocab"]["ab"] = 256.0; }},
    {"\"ab\" string", [](Json& j) { j["model"]["vocab"]["ab"] = "256"; }},
    {"\"\\n\\u00e9\" null", [](Json& j) { j["model"]["vocab"]["\n\u00e9"] = nullptr; }},
    {"byte 0x71", [](Json& j) { j["model"]["vocab"].erase("q"), j["model"]["vocab"]["qq"] = 'q'; }},
    {"model.merges", [](Json& j) { j["model"].erase("merges"); }},
    {"model.merges[1]",
     [](Json& j) {
       j["model"]["merges"][1] = Json::array({"xx", "c"});
     }},
    {"\"bc\"",
     [](Json& j) {
       j["model"]["merges"][1] = Json::array({"b", "c"});
     }},
    {"model.merges[2]", [](Json& j) { j["model"]["merges"][2] = Json::array({"a"}); }},
    {"model.merges[2]", [](Json& j) { j["model"]["merges"][2] = 5; }},
    {"model.merges[2][1]",
     [](Json& j) {
       j["model"]["merges"][2] = Json::array({"a", 5});
     }},
    {"model.merges[3]", [](Json& j) { j["model"]["merges"][3] = "aa"; }},
    {"model.merges[3]", [](Json& j) { j["model"]["merges"][3] = "a a a"; }},
    {"added_tokens", [](Json& j) { j["added_tokens"] = "none"; }},
    {"added_tokens[0]", [](Json& j) { j["added_tokens"][0] = 260; }},
    {"added_tokens[0].id", [](Json& j) { j["added_tokens"][0]["id"] = 'a'; }},
    {"added_tokens[0].id", [](Json& j) { j["added_tokens"][0]["id"] = "260"; }},
    {"added_tokens[0].id", [](Json& j) { j["added_tokens"][0]["content"] = "abc"; }},
    {"added_tokens[1].id", [](Json& j) { j["added_tokens"][1]["id"] = 4000000000; }},
    {"added_tokens[1].content", [](Json& j) { j["added_tokens"][1]["content"] = ""; }},
    {"added_tokens[1].content", [](Json& j) { j["added_tokens"][1]["content"] = "<|endoftext|>"; }},
    {"added_tokens[1].normalized", [](Json& j) { j["added_tokens"][1].erase("normalized"); }},
};
INSTANTIATE_TEST_SUITE_P(Broken, Refused, ::testing::ValuesIn(kBroken));

TEST(TokenizerFile, TruncatedAnywhereIsRefused) {
  const std::string whole = tiny_tokenizer().dump();
  for (std::size_t length = 0; length < whole.size(); length += 37) {
    const TemporaryFile file(whole.substr(0, length));
    expect_refused(file.path(), "not valid JSON");
  }
}

TEST(TokenizerFile, NoJsonIsRefused) {
  for (const std::string text :
       {"\x80\xff", "{\"version\": \"\\ud800\"}", "1e999", "{} {}", "{\"a\xff\": 1}"}) {
    const TemporaryFile file(text);
    expect_refused(file.path(), "not valid JSON");
  }
  const TemporaryFile deep(std::string(1000000, '['));
  expect_refused(deep.path(), "not valid JSON");
}

TEST(TokenizerFile, MissingFileAndDirectoryAreRefused) {
  expect_refused(std::filesystem::path(::testing::TempDir()) / "no-such-tokenizer.json", "cannot be read");
  expect_refused(::testing::TempDir(), "cannot be read");
}

TEST(TokenizerFile, OldFilesWithoutModelTypeAndAddedTokensLoad) {
  Json json = tiny_tokenizer();
  json["model"].erase("type");
  json.erase("added_tokens");
  json["model"]["dropout"] = 0.0;
  json["model"]["end_of_word_suffix"] = "";
  json["post_processor"] = {{"type", "ByteLevel"}};
  EXPECT_EQ(load(json)->size(), 260);
}

TEST(TokenizerFile, AddedTokenMayBeAVocabularyEntry) {
  Json json = tiny_tokenizer();
  json["added_tokens"][0]["content"] = "abc";
  json["added_tokens"][0]["id"] = 257;
  json["added_tokens"][1]["id"] = 260;
  const auto tokenizer = load(json);
  EXPECT_EQ(tokenizer->size(), 261);
  EXPECT_EQ(tokenizer->encode("xabcx"), (std::vector<TokenId>{'x', 257, 'x'}));
}

}  // namespace
}  // namespace trisect::phi2
