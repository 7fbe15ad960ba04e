#include "integration/runner/quality.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "integration/runner/measured.hpp"

namespace trisect::runner {
namespace {

/// One token a byte.
class ByteTokenizer : public phi2::Tokenizer {
 public:
  std::vector<phi2::TokenId> encode(std::string_view text) const override {
    std::vector<phi2::TokenId> ids;
    for (const char byte : text) ids.push_back(static_cast<unsigned char>(byte));
    return ids;
  }
  std::string decode(std::span<const phi2::TokenId> ids) const override {
    std::string text;
    for (const phi2::TokenId id : ids) text += static_cast<char>(id);
    return text;
  }
  int size() const override { return 256; }
  std::optional<phi2::TokenId> end_of_text() const override { return {}; }
};

std::int64_t characters(std::string_view text, int window) {
  const ByteTokenizer tokenizer;
  return predicted_characters(tokenizer, tokenizer.encode(text), window);
}

TEST(PredictedCharacters, LeavesOutTheFirstOfEachWindow) {
  EXPECT_EQ(characters("abcdefgh", 8), 7);
  EXPECT_EQ(characters("abcdefgh", 4), 6);
  EXPECT_EQ(characters("abcdefghi", 4), 6);  // the last window has one token, which is not predicted
  EXPECT_EQ(characters("abcdefghij", 4), 7);
  EXPECT_EQ(characters("", 4), 0);
}

TEST(PredictedCharacters, CountsCodePointsWhereTheyBegin) {
  EXPECT_EQ(characters("a\xc3\xa9\xf0\x9f\x98\x80z", 100), 3);  // e acute, a smiley, z
  EXPECT_EQ(characters("a\xc3\xa9\xc3\xa9", 2), 2);             // windows a-c3, a9-c3, a9
}

TEST(BitsPerCharacter, IsTheSumOverCharacters) {
  phi2::Quality quality;
  quality.nll = 10 * std::log(2.0);
  EXPECT_NEAR(bits_per_character(quality, 5), 2, 1e-12);
}

TEST(Quantile, NearestRank) {
  EXPECT_EQ(median({3, 1, 2}), 2);
  EXPECT_EQ(median({4, 1, 2, 3}), 2);
  EXPECT_EQ(median({7}), 7);
  std::vector<double> hundred;
  for (int i = 100; i > 0; --i) hundred.push_back(i);
  EXPECT_EQ(quantile(hundred, 0.99), 99);
  EXPECT_EQ(quantile(hundred, 1), 100);
  EXPECT_EQ(quantile(hundred, 0), 1);
}

TEST(PrefillFlops, ReadsTheHeadOnce) {
  phi2::Config config;
  config.layers = 2;
  config.hidden = 4;
  config.intermediate = 8;
  config.vocab = 16;
  EXPECT_EQ(prefill_flops(config, 10), 2 * (10 * 2 * (4 * 20 + 12 * 4) + 4 * 16));
}

}  // namespace
}  // namespace trisect::runner
