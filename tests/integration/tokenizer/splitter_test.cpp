#include "integration/phi2/tokenizer/splitter.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "integration/phi2/tokenizer/unicode_class.hpp"
#include "integration/phi2/tokenizer/utf8.hpp"
#include "kernels/core/random.hpp"

namespace trisect::phi2 {
namespace {

using ::testing::ElementsAre;
using namespace std::string_literals;

std::vector<std::string> pieces(std::string_view text) {
  std::vector<std::string> result;
  while (!text.empty()) {
    const std::size_t length = first_piece(text);
    if (length == 0 || length > text.size()) {
      ADD_FAILURE() << "a piece of " << length << " bytes in a text of " << text.size();
      break;
    }
    result.emplace_back(text.substr(0, length));
    text.remove_prefix(length);
  }
  return result;
}

TEST(Splitter, OneSpaceJoinsWhatFollows) {
  EXPECT_THAT(pieces("Hello world 12 3x!"), ElementsAre("Hello", " world", " 12", " 3", "x", "!"));
  EXPECT_THAT(pieces("a  b"), ElementsAre("a", " ", " b"));
  EXPECT_THAT(pieces("a\tb"), ElementsAre("a", "\t", "b"));
  EXPECT_THAT(pieces(" "), ElementsAre(" "));
}

TEST(Splitter, WhiteSpaceLeavesItsLastCharacterUnlessTheTextEnds) {
  EXPECT_THAT(pieces("a\n\nb"), ElementsAre("a", "\n", "\n", "b"));
  EXPECT_THAT(pieces("a\n  b"), ElementsAre("a", "\n ", " b"));
  EXPECT_THAT(pieces("a \n\t "), ElementsAre("a", " \n\t "));
  EXPECT_THAT(pieces("a\u3000\u3000b"), ElementsAre("a", "\u3000", "\u3000", "b"));
  EXPECT_THAT(pieces(" \u00a0x"), ElementsAre(" ", "\u00a0", "x"));
}

TEST(Splitter, ContractionsAreLowerCaseAscii) {
  EXPECT_THAT(pieces("don't I'll we've they're he'd I'm it's"),
              ElementsAre("don", "'t", " I", "'ll", " we", "'ve", " they", "'re", " he", "'d", " I", "'m",
                          " it", "'s"));
  EXPECT_THAT(pieces("DON'T"), ElementsAre("DON", "'", "T"));
  EXPECT_THAT(pieces("don\u2019t"), ElementsAre("don", "\u2019", "t"));
  EXPECT_THAT(pieces("'stop 's '"), ElementsAre("'s", "top", " '", "s", " '"));
  EXPECT_THAT(pieces("'r'v'l'"), ElementsAre("'", "r", "'", "v", "'", "l", "'"));
  EXPECT_THAT(pieces("''s"), ElementsAre("''", "s"));
}

TEST(Splitter, ClassesAreUnicode) {
  EXPECT_THAT(pieces("\u00e9\u00bd\u2167\u0968!\u5e74"),
              ElementsAre("\u00e9", "\u00bd\u2167\u0968", "!", "\u5e74"));
  EXPECT_THAT(pieces("e\u0301x"), ElementsAre("e", "\u0301", "x")) << "a combining mark is no letter";
  EXPECT_EQ(char_class(0x1c89), CharClass::kLetter) << "new in Unicode 16.0";
}

TEST(UnicodeTable, HasTheTotalsOfUnicode16) {
  int count[4] = {};
  std::vector<char32_t> spaces;
  for (char32_t c = 0; c <= 0x10ffff; ++c) {
    ++count[static_cast<int>(char_class(c))];
    if (char_class(c) == CharClass::kSpace) spaces.push_back(c);
  }
  EXPECT_EQ(count[static_cast<int>(CharClass::kLetter)], 141028);
  EXPECT_EQ(count[static_cast<int>(CharClass::kNumber)], 1911);
  EXPECT_THAT(spaces, ElementsAre(9, 10, 11, 12, 13, 0x20, 0x85, 0xa0, 0x1680, 0x2000, 0x2001, 0x2002, 0x2003,
                                  0x2004, 0x2005, 0x2006, 0x2007, 0x2008, 0x2009, 0x200a, 0x2028, 0x2029,
                                  0x202f, 0x205f, 0x3000));
}

TEST(Splitter, BytesThatAreNotUtf8AreNeitherSpaceNorLetterNorNumber) {
  EXPECT_THAT(pieces("a\xff\x80 b"), ElementsAre("a", "\xff\x80", " b"));
  EXPECT_THAT(pieces("a \xc3"), ElementsAre("a", " \xc3")) << "half a character at the end";
  EXPECT_THAT(pieces("\xc3!\xa9"), ElementsAre("\xc3!\xa9"));
  EXPECT_THAT(pieces("\xed\xa0\x80x"), ElementsAre("\xed\xa0\x80", "x")) << "a surrogate";
  EXPECT_THAT(pieces("\xc1\xa1z"), ElementsAre("\xc1\xa1", "z")) << "an overlong 'a'";
  EXPECT_THAT(pieces("\xe4\xb8"
                     "a"),
              ElementsAre("\xe4\xb8", "a"))
      << "a lead that a letter interrupts";
  EXPECT_THAT(pieces("a\0b"s), ElementsAre("a", "\0"s, "b"));
}

TEST(Splitter, PiecesOfRandomBytesMakeUpTheText) {
  for (std::uint64_t seed = 0; seed < 20000; ++seed) {
    std::string text;
    for (std::uint64_t i = 0; i < seed % 64; ++i) text.push_back(static_cast<char>(random_bits(seed, i)));
    std::string joined;
    for (const std::string& piece : pieces(text)) joined += piece;
    ASSERT_EQ(joined, text) << "seed " << seed;
  }
}

TEST(Utf8, AcceptsExactlyTheWellFormedSequences) {
  const auto length = [](std::string_view text) {
    const Utf8Sequence s = first_sequence(text);
    return s.well_formed ? static_cast<int>(s.length) : s.truncated ? -1 : 0;
  };
  EXPECT_EQ(length("a"), 1);
  EXPECT_EQ(length("\xc2\x80"), 2);
  EXPECT_EQ(length("\xe0\xa0\x80"), 3);
  EXPECT_EQ(length("\xed\x9f\xbf"), 3);
  EXPECT_EQ(length("\xef\xbf\xbf"), 3);
  EXPECT_EQ(length("\xf0\x90\x80\x80"), 4);
  EXPECT_EQ(length("\xf4\x8f\xbf\xbf"), 4);
  for (const char* bad :
       {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xc3\x28", "\xe4\xb8\x28", "\xf0\x9f\x98\x28"}) {
    EXPECT_EQ(length(bad), 0) << ::testing::PrintToString(bad);
  }
  for (const char* half : {"\xc2", "\xe0", "\xe0\xa0", "\xf0", "\xf0\x9f", "\xf0\x9f\x98", "\xf4\x8f\xbf"}) {
    EXPECT_EQ(length(half), -1) << ::testing::PrintToString(half);
  }
  EXPECT_EQ(first_sequence("\xf0\x9f\x98\x80").code_point, U'\U0001f600');
}

}  // namespace
}  // namespace trisect::phi2
