// Mode `released` against cases worked out by hand (tests/fixtures/patch/released.json).
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "integration/phi2/tokenizer/patch_tokenizer.hpp"

namespace trisect::phi2 {
namespace {

using nlohmann::json;
using Words = std::vector<std::string>;

std::string joined(const Words& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

/// A text of words with blanks between them; ids are places in the list. Ids decode to words with nothing
/// between.
class WordTokenizer final : public Tokenizer {
 public:
  explicit WordTokenizer(Words words) : words_(std::move(words)) {}
  TokenId id(const std::string& word) const {
    return static_cast<TokenId>(std::find(words_.begin(), words_.end(), word) - words_.begin());
  }
  std::vector<TokenId> ids(const Words& words) const {
    std::vector<TokenId> ids;
    for (const std::string& word : words) ids.push_back(id(word));
    return ids;
  }
  std::vector<TokenId> encode(std::string_view text) const override {
    std::vector<TokenId> ids;
    while (!text.empty()) {
      const std::size_t end = std::min(text.find(' '), text.size());
      ids.push_back(id(std::string(text.substr(0, end))));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    return ids;
  }
  std::string decode(std::span<const TokenId> ids) const override {
    std::string text;
    for (const TokenId id : ids) text += words_.at(static_cast<std::size_t>(id));
    return text;
  }
  int size() const override { return static_cast<int>(words_.size()); }
  std::optional<TokenId> end_of_text() const override { return {}; }

 private:
  Words words_;
};

Words vocabulary_of(const json& test) {
  Words words;
  const auto add = [&](const std::string& word) {
    if (std::find(words.begin(), words.end(), word) == words.end()) words.push_back(word);
  };
  for (const auto& ngram : test.at("ngrams")) std::for_each(ngram.begin(), ngram.end(), add);
  for (const std::string word : test.at("text")) add(word);
  if (test.contains("removed")) {
    for (const auto& [word, pieces] : test.at("removed").items()) {
      add(word);
      std::for_each(pieces.begin(), pieces.end(), add);
    }
  }
  std::sort(words.begin(), words.end());
  return words;
}

/// Ids as the case gives them, or dense: the words that are left in order, then the n-grams.
std::map<std::string, TokenId> converter_of(const json& test, const Words& words) {
  if (test.contains("new_index")) return test.at("new_index").get<std::map<std::string, TokenId>>();
  std::map<std::string, TokenId> ids;
  for (const std::string& word : words) {
    if (!test.contains("removed") || !test.at("removed").contains(word))
      ids.emplace(word, static_cast<TokenId>(ids.size()));
  }
  for (const Words ngram : test.at("ngrams")) ids.emplace(joined(ngram), static_cast<TokenId>(ids.size()));
  return ids;
}

TEST(Released, CasesWorkedOutByHand) {
  std::ifstream file(TRISECT_SOURCE_DIR "/tests/fixtures/patch/released.json");
  const json document = json::parse(file);
  ASSERT_GE(document.at("cases").size(), 16u);
  for (const json& test : document.at("cases")) {
    SCOPED_TRACE(test.at("why").get<std::string>());
    auto base = std::make_unique<WordTokenizer>(vocabulary_of(test));
    const Words words = vocabulary_of(test);
    const auto converter = converter_of(test, words);
    PatchVocabulary vocabulary;
    vocabulary.base_tokens = base->size();
    vocabulary.base_hash = "words";
    vocabulary.mode = adaptivocab::PatchMode::kReleased;
    for (const Words ngram : test.at("ngrams"))
      vocabulary.added.push_back({converter.at(joined(ngram)), base->ids(ngram)});
    for (const std::string& word : words) {
      if (test.contains("removed") && test.at("removed").contains(word)) {
        vocabulary.removed.push_back({base->id(word), base->ids(test.at("removed").at(word).get<Words>())});
      } else if (base->id(word) != converter.at(word)) {
        vocabulary.moved.push_back({base->id(word), converter.at(word)});
      }
    }
    validate(vocabulary, "case");
    const PatchTokenizer tokenizer(std::move(base), "words", vocabulary, "case");
    std::vector<TokenId> want;
    std::string bytes;
    for (const Words token : test.at("encoded")) {
      want.push_back(converter.at(joined(token)));
      for (const std::string& word : token) bytes += word;
    }
    EXPECT_EQ(tokenizer.encode(joined(test.at("text").get<Words>())), want);
    EXPECT_EQ(tokenizer.decode(want), bytes);
  }
}

}  // namespace
}  // namespace trisect::phi2
