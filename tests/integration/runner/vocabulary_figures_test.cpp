#include "integration/runner/vocabulary_figures.hpp"

#include <gtest/gtest.h>

namespace trisect::runner {
namespace {

/// Decodes to the pieces that it was given; it encodes nothing.
class Pieces : public phi2::Tokenizer {
 public:
  explicit Pieces(std::vector<std::string> pieces) : pieces_(std::move(pieces)) {}
  std::vector<phi2::TokenId> encode(std::string_view) const override { return {}; }
  std::string decode(std::span<const phi2::TokenId> ids) const override {
    std::string text;
    for (const phi2::TokenId id : ids) text += pieces_[static_cast<std::size_t>(id)];
    return text;
  }
  int size() const override { return static_cast<int>(pieces_.size()); }
  std::optional<phi2::TokenId> end_of_text() const override { return {}; }

 private:
  std::vector<std::string> pieces_;
};

using Words = std::vector<std::int64_t>;

Words words(const std::vector<std::string>& pieces) {
  std::vector<phi2::TokenId> ids(pieces.size());
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<phi2::TokenId>(i);
  return tokens_per_word(Pieces(pieces), ids);
}

TEST(TokensPerWord, WordsEndAtWhiteSpace) {
  EXPECT_EQ(words({}), Words());
  EXPECT_EQ(words({" ", "\n\t"}), Words());
  EXPECT_EQ(words({"one", " two"}), Words({0, 2}));
  EXPECT_EQ(words({"o", "n", "e", " two", "\n"}), Words({0, 1, 0, 1}));
  EXPECT_EQ(words({"x\xc2", "\xa0y"}), Words({0, 0, 1})) << "bytes of a character may be in two tokens";
}

TEST(TokensPerWord, ATokenOfSeveralWordsBelongsToItsFirst) {
  EXPECT_EQ(words({" of the"}), Words({1, 1}));
  EXPECT_EQ(words({"end", "ed in a", "n", " x"}), Words({1, 2, 1})) << "in: none; a: its own n; ended: two";
}

TEST(TopTokens, BySavedTokensThenByOrder) {
  phi2::PatchVocabulary patch;
  patch.base_tokens = 10;
  patch.added = {{10, {1, 2}}, {11, {1, 2, 3}}, {12, {4, 5}}, {13, {6, 7}}};
  const std::vector<phi2::TokenId> ids{1, 10, 10, 11, 12, 12, 10, 2, 11};
  const auto top = top_tokens(patch, ids, 3);
  ASSERT_EQ(top.size(), 3u);
  EXPECT_EQ(top[0].added, 1u) << "twice, two saved each time";
  EXPECT_EQ(top[1].added, 0u);
  EXPECT_EQ(top[1].count, 3);
  EXPECT_EQ(top[2].added, 2u);
  EXPECT_EQ(top_tokens(patch, ids, 9).size(), 3u) << "what is not used is not shown";
}

TEST(FirstCharacters, NeverCutsOne) {
  const std::string text = "a\xc3\xa4\xe2\x82\xac!";
  EXPECT_EQ(first_characters(text, 0), "");
  EXPECT_EQ(first_characters(text, 2), "a\xc3\xa4");
  EXPECT_EQ(first_characters(text, 3), "a\xc3\xa4\xe2\x82\xac");
  EXPECT_EQ(first_characters(text, 99), text);
}

}  // namespace
}  // namespace trisect::runner
