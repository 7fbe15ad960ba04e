#include "integration/phi2/tokenizer/bpe_tokenizer.hpp"

#include <omp.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "integration/phi2/tokenizer/streaming_decoder.hpp"
#include "kernels/core/error.hpp"
#include "kernels/core/random.hpp"
#include "tests/integration/model/scratch.hpp"
#include "tests/integration/tokenizer/tiny_tokenizer.hpp"

namespace trisect::phi2 {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Ids = std::vector<TokenId>;

std::unique_ptr<BpeTokenizer> phi_mini() {
  return BpeTokenizer::load(std::filesystem::path(TRISECT_SOURCE_DIR) /
                            "integration/models/phi-mini/tokenizer.json");
}

/// What random bytes alone would seldom hit: words, runs, broken and whole characters, added tokens.
std::string tricky_bytes(Seed seed) {
  static const std::string_view kParts[] = {"the",
                                            " select",
                                            "  ",
                                            "\n",
                                            "\t\t",
                                            "'s",
                                            "a",
                                            "\u00e9",
                                            "\xe6",
                                            "\x97",
                                            "\xa5",
                                            "1",
                                            "<|endoftext|>",
                                            "\xff",
                                            "\xf0\x9f\x98\x80",
                                            " "};
  std::string text;
  const std::uint64_t length = random_bits(seed, 0) % 40;
  for (std::uint64_t i = 1; i <= length; ++i) {
    const std::uint64_t bits = random_bits(seed, i);
    if (bits % 3 == 0) {
      text.push_back(static_cast<char>(bits >> 8));
    } else {
      text += kParts[(bits >> 8) % std::size(kParts)];
    }
  }
  return text;
}

TEST(BpeTokenizer, MergesTheLowestRankLeftmostFirst) {
  const auto tokenizer = load(tiny_tokenizer());
  EXPECT_THAT(tokenizer->encode(""), IsEmpty());
  EXPECT_THAT(tokenizer->encode("abc"), ElementsAre(257));
  EXPECT_THAT(tokenizer->encode("aab"), ElementsAre('a', 256));
  EXPECT_THAT(tokenizer->encode("aaaaa"), ElementsAre(259, 259, 'a'));
  EXPECT_THAT(tokenizer->encode(" ab"), ElementsAre(' ', 256));
  EXPECT_THAT(tokenizer->encode(" a"), ElementsAre(258));
  EXPECT_EQ(tokenizer->size(), 262);
  EXPECT_EQ(tokenizer->end_of_text(), 260);
}

TEST(BpeTokenizer, MergesMayBeStrings) {
  auto json = tiny_tokenizer();
  json["model"]["merges"] = {"a b", "ab c", "\u0120 a", "a a"};
  EXPECT_THAT(load(json)->encode(" a abc"), ElementsAre(258, ' ', 257));
}

TEST(BpeTokenizer, OfEqualMergesTheLastCounts) {
  auto json = tiny_tokenizer();
  json["model"]["merges"].push_back(nlohmann::json::array({"a", "b"}));
  EXPECT_THAT(load(json)->encode("aab"), ElementsAre(259, 'b'));
}

TEST(BpeTokenizer, IgnoreMergesTakesWholePieces) {
  auto json = tiny_tokenizer();
  json["model"]["merges"] = nlohmann::json::array();
  EXPECT_THAT(load(json)->encode("abc ab"), ElementsAre('a', 'b', 'c', ' ', 'a', 'b'));
  json["model"]["ignore_merges"] = true;
  EXPECT_THAT(load(json)->encode("abc ab"), ElementsAre(257, ' ', 'a', 'b'));
}

TEST(BpeTokenizer, PrefixSpaceGoesToEachStretchBetweenAddedTokens) {
  auto json = tiny_tokenizer();
  json["pre_tokenizer"]["add_prefix_space"] = true;
  const auto tokenizer = load(json);
  EXPECT_THAT(tokenizer->encode(""), IsEmpty());
  EXPECT_THAT(tokenizer->encode("a<|endoftext|>a"), ElementsAre(258, 260, 258));
  EXPECT_THAT(tokenizer->encode(" a"), ElementsAre(258));
}

TEST(BpeTokenizer, WithoutTheRegexAStretchIsOnePiece) {
  auto json = tiny_tokenizer();
  json["model"]["vocab"]["!a"] = 260;
  json["model"]["merges"].push_back(nlohmann::json::array({"!", "a"}));
  json["added_tokens"] = nlohmann::json::array();
  EXPECT_THAT(load(json)->encode("!a"), ElementsAre('!', 'a'));
  json["pre_tokenizer"]["use_regex"] = false;
  EXPECT_THAT(load(json)->encode("!a"), ElementsAre(260));
}

TEST(BpeTokenizer, AddedTokensAreLeftmostLongestAndThoseNotNormalizedComeFirst) {
  auto json = tiny_tokenizer();
  auto& added = json["added_tokens"];
  const auto add = [&](const char* content, bool normalized) {
    added.push_back(added[0]);
    added.back()["id"] = 260 + added.size() - 1;
    added.back()["content"] = content;
    added.back()["normalized"] = normalized;
  };
  add("xy", true);   // 262
  add("xyz", true);  // 263
  add("yzw", true);  // 264
  add("zw", false);  // 265
  const auto tokenizer = load(json);
  EXPECT_THAT(tokenizer->encode("xyz"), ElementsAre(263));
  EXPECT_THAT(tokenizer->encode("xyy"), ElementsAre(262, 'y'));
  EXPECT_THAT(tokenizer->encode("xyzw"), ElementsAre(262, 265)) << "zw is cut out before xyz is looked for";
  EXPECT_THAT(tokenizer->encode("yzv"), ElementsAre('y', 'z', 'v'));
}

TEST(BpeTokenizer, AddedTokenOfLettersOfTheByteAlphabetDecodesAsItself) {
  auto json = tiny_tokenizer();
  json["added_tokens"][0]["content"] = "\u00e9\u0120";
  const auto tokenizer = load(json);
  EXPECT_THAT(tokenizer->encode("\u00e9\u0120"), ElementsAre(260));
  EXPECT_EQ(tokenizer->decode(Ids{260}), "\u00e9\u0120");
  EXPECT_EQ(tokenizer->end_of_text(), std::nullopt);
}

TEST(BpeTokenizer, AnyBytesRoundTrip) {
  const auto tokenizer = phi_mini();
  for (Seed seed = 0; seed < 50000; ++seed) {
    const std::string text = tricky_bytes(seed);
    const Ids ids = tokenizer->encode(text);
    ASSERT_EQ(tokenizer->decode(ids), text) << "seed " << seed;
    ASSERT_TRUE(
        std::all_of(ids.begin(), ids.end(), [&](TokenId id) { return id >= 0 && id < tokenizer->size(); }));
  }
}

/// What the same tokenizer makes of it with one thread.
Ids encoded_alone(const Tokenizer& tokenizer, const std::string& text) {
  const int threads = omp_get_max_threads();
  omp_set_num_threads(1);
  const Ids ids = tokenizer.encode(text);
  omp_set_num_threads(threads);
  return ids;
}

TEST(BpeTokenizer, LongTextsAreTheSameForATeam) {
  const int threads = omp_get_max_threads();
  omp_set_num_threads(4);
  const auto mini = phi_mini();
  std::string text;
  for (Seed seed = 0; text.size() < 600000; ++seed) text += tricky_bytes(seed);
  for (const std::string& long_text : {text, std::string(400000, 'a'), std::string(400000, ' ')}) {
    EXPECT_EQ(mini->encode(long_text), encoded_alone(*mini, long_text));
  }
  auto json = tiny_tokenizer();  // with an added token that a cut would part
  json["added_tokens"][1]["content"] = "b a";
  const auto tiny = load(json);
  std::string parts;
  while (parts.size() < 300000) parts += "ab ab a abc";
  EXPECT_EQ(tiny->encode(parts), encoded_alone(*tiny, parts));
  EXPECT_THAT(tiny->encode(parts), ::testing::Contains(261));
  json = tiny_tokenizer();
  json["pre_tokenizer"]["add_prefix_space"] = true;
  EXPECT_EQ(load(json)->encode(parts), encoded_alone(*load(json), parts));
  omp_set_num_threads(threads);
}

TEST(BpeTokenizer, RefusesIdsThatAreNotItsOwn) {
  const auto tokenizer = load(tiny_tokenizer());
  for (const TokenId id : {-1, 262, 51199}) {
    expect_error([&] { tokenizer->decode(Ids{'a', id}); }, {std::to_string(id)}, ExitCode::kUsage);
  }
}

TEST(BpeTokenizer, LongRunsTakeNotMuchLongerThanShortOnes) {
  const auto tokenizer = load(tiny_tokenizer());
  for (const std::string_view unit : {"a", "ab", "\n", "\u00e9", "\xff"}) {
    std::string text;
    while (text.size() < 1000000) text += unit;
    const auto start = std::chrono::steady_clock::now();
    const Ids ids = tokenizer->encode(text);
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    EXPECT_EQ(tokenizer->decode(ids), text);
    EXPECT_LT(taken.count(), 10) << "a tenth of a second is usual, a quadratic search takes minutes";
  }
}

bool ends_inside_a_character(std::string_view text) {
  for (std::size_t n = 1; n <= std::min<std::size_t>(3, text.size()); ++n) {
    const auto c = static_cast<unsigned char>(text[text.size() - n]);
    if (c >= 0xc0) return n < (c < 0xe0 ? 2u : c < 0xf0 ? 3u : 4u);
    if (c < 0x80) return false;
  }
  return false;
}

TEST(StreamingDecoder, NeverGivesHalfACharacter) {
  const auto tokenizer = load(tiny_tokenizer());
  StreamingDecoder stream(*tokenizer);
  EXPECT_EQ(stream.next(0xf0), "");
  EXPECT_EQ(stream.next(0x9f), "");
  EXPECT_EQ(stream.next(0x98), "");
  EXPECT_EQ(stream.next(0x80), "\U0001f600");
  EXPECT_EQ(stream.next(0xc3), "");
  EXPECT_EQ(stream.next('x'), "\xc3x") << "can no longer become a character";
  EXPECT_EQ(stream.next(0xff), "\xff");
  EXPECT_EQ(stream.next(0xe6), "");
  EXPECT_THROW(stream.next(9999), Error);
  EXPECT_EQ(stream.next(0x97), "") << "an error loses nothing";
  EXPECT_EQ(stream.flush(), "\xe6\x97");
  EXPECT_EQ(stream.flush(), "");
  EXPECT_EQ(stream.next('a'), "a");
}

TEST(StreamingDecoder, EqualsDecodeAfterEveryPrefix) {
  const auto tokenizer = phi_mini();
  const std::string valid =
      "na\u00efve \u65e5\u672c\u8a9e \U0001f468\u200d\U0001f469 \u05e2\u05d1\u05e8\u05d9\u05ea <|endoftext|> "
      "  x\u00bd";
  for (Seed seed = 0; seed < 300; ++seed) {
    const Ids ids = tokenizer->encode(seed == 0 ? valid : tricky_bytes(seed));
    for (std::size_t length = 0; length <= ids.size(); ++length) {
      const std::span prefix(ids.data(), length);
      StreamingDecoder stream(*tokenizer);
      std::string text;
      for (const TokenId id : prefix) {
        text += stream.next(id);
        ASSERT_FALSE(seed == 0 && ends_inside_a_character(text));
      }
      ASSERT_EQ(text + stream.flush(), tokenizer->decode(prefix))
          << "seed " << seed << ", " << length << " ids";
    }
  }
}

}  // namespace
}  // namespace trisect::phi2
