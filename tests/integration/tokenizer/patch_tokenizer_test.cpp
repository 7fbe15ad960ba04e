// Patched tokenizers: what they encode to, that every byte comes back, and how they are built.
#include "integration/phi2/tokenizer/patch_tokenizer.hpp"

#include <gmock/gmock.h>

#include <chrono>

#include "integration/phi2/tokenizer/patch_build.hpp"
#include "integration/phi2/tokenizer/streaming_decoder.hpp"
#include "integration/phi2/tokenizer/tokenizer_file.hpp"
#include "kernels/core/random.hpp"
#include "tests/integration/model/scratch.hpp"
#include "tests/integration/tokenizer/tiny_tokenizer.hpp"

namespace trisect::phi2 {
namespace {

using ::testing::ElementsAre;
using Ids = std::vector<TokenId>;
using adaptivocab::PatchMode;

TokenizerFile tiny_file() { return read_tokenizer_file(TemporaryFile(tiny_tokenizer().dump()).path()); }

/// Of the tiny tokenizer: 262 tokens; "ab" is 256, "abc" 257, " a" 258, "aa" 259.
PatchVocabulary tiny_patch(std::vector<Ids> parts) {
  PatchVocabulary vocabulary;
  vocabulary.base_tokens = 262;
  vocabulary.base_hash = tokenizer_hash(tiny_file());
  for (Ids& one : parts) {
    const auto id = static_cast<TokenId>(262 + vocabulary.added.size());
    vocabulary.added.push_back({id, std::move(one)});
  }
  return vocabulary;
}

PatchTokenizer patched(const PatchVocabulary& vocabulary) {
  validate(vocabulary, "test");
  TokenizerFile file = tiny_file();
  const std::string hash = tokenizer_hash(file);
  return {BpeTokenizer::from(std::move(file)), hash, vocabulary, "test"};
}

std::string some_text(Seed seed) {
  static constexpr const char* kParts[] = {"ab", "abc",           " a", "aa",  "x",
                                           "  ", "<|endoftext|>", "\n", "a b", "\xc3\xa9"};
  std::string text;
  const std::uint64_t length = random_bits(seed, 0) % 60;
  for (std::uint64_t i = 1; i <= length; ++i) {
    const std::uint64_t bits = random_bits(seed, i);
    bits % 8 == 0 ? text.push_back(static_cast<char>(bits >> 8))
                  : void(text += kParts[(bits >> 8) % std::size(kParts)]);
  }
  return text;
}

TEST(PatchTokenizer, NgramsBecomeTokens) {
  const PatchTokenizer tokenizer = patched(tiny_patch({{'x', 'y'}, {'x', 'y', 'z'}, {258, 'x'}}));
  EXPECT_EQ(tokenizer.size(), 265);
  EXPECT_THAT(tokenizer.encode("xy"), ElementsAre(262));
  EXPECT_THAT(tokenizer.encode("xyz"), ElementsAre(263));
  EXPECT_THAT(tokenizer.encode("xyxyz!"), ElementsAre(262, 263, '!'));
  EXPECT_THAT(tokenizer.encode(" ax"), ElementsAre(264));
  EXPECT_THAT(tokenizer.encode(" abx"), ElementsAre(' ', 256, 'x'))
      << "the base tokenizer makes no 258 of it";
  EXPECT_THAT(tokenizer.encode(""), ElementsAre());
  EXPECT_EQ(tokenizer.decode(Ids{262, 263, 264}), "xyxyz ax");
  EXPECT_EQ(tokenizer.end_of_text(), 260);
}

TEST(PatchTokenizer, ModesDiffer) {
  PatchVocabulary vocabulary = tiny_patch({{'1', '2'}, {'2', '3', '4'}, {'1', '2', '3'}, {'4', '5'}});
  const auto encode = [&](PatchMode mode) {
    vocabulary.mode = mode;
    return patched(vocabulary).encode("12345");
  };
  EXPECT_THAT(encode(PatchMode::kOptimal), ElementsAre(264, 265));
  EXPECT_THAT(encode(PatchMode::kLongest), ElementsAre(264, 265));
  EXPECT_THAT(encode(PatchMode::kReleased), ElementsAre(262, '3', 265));
}

TEST(PatchTokenizer, RemovedTokensAreTheirPieces) {
  PatchVocabulary vocabulary = tiny_patch({{'b', 'c'}});
  vocabulary.removed = {{257, {256, 'c'}}, {256, {'a', 'b'}}};
  vocabulary.added[0].id = 256;
  vocabulary.moved = {{260, 257}, {261, 260}};
  const PatchTokenizer tokenizer = patched(vocabulary);
  EXPECT_EQ(tokenizer.size(), 261);
  EXPECT_THAT(tokenizer.encode("abc"), ElementsAre('a', 256));
  EXPECT_THAT(tokenizer.encode("ab<|endoftext|>  "), ElementsAre('a', 'b', 257, 260));
  EXPECT_EQ(tokenizer.end_of_text(), 257);
  EXPECT_EQ(tokenizer.decode(Ids{'a', 256, 257, 260}), "abc<|endoftext|>  ");
}

TEST(PatchTokenizer, EveryTextComesBackAndIsNeverLonger) {
  const PatchVocabulary extended =
      tiny_patch({{256, 'x'}, {'x', 'x'}, {258, 256}, {'\n', 'a'}, {256, 257, 256}, {0xc3, 0xa9}});
  PatchVocabulary swapped = tiny_patch({{'a', 'b'}, {'a', 'b', 'c'}});
  swapped.removed = {{256, {'a', 'b'}}, {257, {256, 'c'}}};
  swapped.added[0].id = 257;
  swapped.added[1].id = 256;
  for (const PatchMode mode : {PatchMode::kOptimal, PatchMode::kLongest, PatchMode::kReleased}) {
    PatchVocabulary vocabulary = extended;
    vocabulary.mode = mode;
    const PatchTokenizer tokenizer = patched(vocabulary);
    vocabulary = swapped;
    vocabulary.mode = mode;
    const PatchTokenizer other = patched(vocabulary);
    for (Seed seed = 0; seed < 3000; ++seed) {
      const std::string text = some_text(seed);
      const Ids ids = tokenizer.encode(text);
      ASSERT_EQ(tokenizer.decode(ids), text) << seed;
      ASSERT_LE(ids.size(), tokenizer.base().encode(text).size()) << seed;
      ASSERT_EQ(other.decode(other.encode(text)), text) << seed;
      StreamingDecoder stream(tokenizer);
      std::string streamed;
      for (const TokenId id : ids) streamed += stream.next(id);
      ASSERT_EQ(streamed + stream.flush(), text) << seed;
    }
  }
}

TEST(PatchTokenizer, RefusesAnotherTokenizerAndPiecesOfOtherBytes) {
  PatchVocabulary vocabulary = tiny_patch({{'x', 'y'}});
  vocabulary.base_hash = "0123456789abcdef";
  expect_error([&] { patched(vocabulary); }, {"test", "base.hash", "0123456789abcdef", "phi2 adapt"});
  vocabulary = tiny_patch({{'x', 'y'}, {'y', 'z'}});
  vocabulary.removed = {{256, {'a', 'c'}}, {257, {256, 'c'}}};
  vocabulary.added[0].id = 256;
  vocabulary.added[1].id = 257;
  vocabulary.moved = {};
  expect_error([&] { patched(vocabulary); }, {"test", "pieces of token 256"});
  EXPECT_THROW(patched(tiny_patch({{'x', 'y'}})).decode(Ids{263}), Error);
}

TEST(TokenizerHash, IsThatOfWhatDecidesIdsAndBytes) {
  const auto hash = [](const nlohmann::json& json) {
    return tokenizer_hash(read_tokenizer_file(TemporaryFile(json.dump(2)).path()));
  };
  const std::string own = tokenizer_hash(tiny_file());
  EXPECT_EQ(hash(tiny_tokenizer()), own) << "however it is spelled";
  auto json = tiny_tokenizer();
  std::swap(json["model"]["merges"][0], json["model"]["merges"][3]);
  EXPECT_NE(hash(json), own);
  json = tiny_tokenizer();
  json["added_tokens"][1]["content"] = "   ";
  EXPECT_NE(hash(json), own);
  json = tiny_tokenizer();
  json["added_tokens"][1]["normalized"] = false;
  EXPECT_NE(hash(json), own);
  json = tiny_tokenizer();
  json["pre_tokenizer"]["add_prefix_space"] = true;
  EXPECT_NE(hash(json), own);
}

PatchBuild build(std::string_view text, PatchBuildOptions options) {
  const TokenizerFile file = tiny_file();
  const auto tokenizer = BpeTokenizer::from(TokenizerFile(file));
  return build_patch(file, *tokenizer, text, options);
}

TEST(PatchBuild, TakesWhatSavesMost) {
  const PatchBuild built = build("qrs qrs qrs uv uv uv uv 77 77 77 77 77 ", {.add = 3, .max_n = 3});
  ASSERT_EQ(built.vocabulary.added.size(), 2u) << "of three: there are no more";
  EXPECT_THAT(built.vocabulary.added[0].parts, ElementsAre('q', 'r', 's'));
  EXPECT_EQ(built.vocabulary.added[0].id, 262);
  EXPECT_EQ(built.count[0], 3);
  EXPECT_THAT(built.vocabulary.added[1].parts, ElementsAre('u', 'v'));
  EXPECT_EQ(built.vocabulary.base_tokens, 262);
  for (const auto& added : built.vocabulary.added) {
    EXPECT_THAT(added.parts, ::testing::Not(::testing::Contains(' '))) << "blanks are in no n-gram";
    EXPECT_NE(added.parts, (Ids{'7', '7'})) << "nor are digits alone";
  }
  const PatchBuild with_digits = build("77 77 77 ", {.add = 1, .digits = true});
  EXPECT_THAT(with_digits.vocabulary.added[0].parts, ElementsAre('7', '7'));
}

TEST(PatchBuild, WordsAreNotCrossedWhenNotWanted) {
  const std::string text = "q ap ap ap ap ap ap";  // " a" is a token, "p" follows it
  PatchBuildOptions options{.add = 9, .max_n = 4};
  bool crosses = false;
  for (const auto& added : build(text, options).vocabulary.added)
    crosses |= added.parts.back() == 258 || added.parts.size() > 2;
  EXPECT_TRUE(crosses);
  options.cross_words = false;
  for (const auto& added : build(text, options).vocabulary.added)
    EXPECT_THAT(added.parts, ElementsAre(258, 'p'));
}

TEST(PatchBuild, LinesAreCrossedWhenWanted) {
  const std::string text = "q\n\nr q\n\nr q\n\nr ";
  PatchBuildOptions options{.add = 1, .max_n = 4};
  EXPECT_THAT(build(text, options).vocabulary.added.at(0).parts, ElementsAre('q', '\n', '\n', 'r'));
  options.cross_lines = false;
  expect_error([&] { build(text, options); }, {"no n-gram"}, ExitCode::kUsage);
}

TEST(PatchBuild, SwapGivesUpWhatTheTextDoesNotUse) {
  const PatchBuild built = build("qr qr qr aa aa", {.add = 2, .max_n = 2, .swap = true});
  const PatchVocabulary& vocabulary = built.vocabulary;
  EXPECT_EQ(vocabulary.size(), vocabulary.base_tokens);
  ASSERT_EQ(vocabulary.removed.size(), vocabulary.added.size());
  EXPECT_EQ(vocabulary.removed[0].token, 257) << "absent, and the longest";
  EXPECT_THAT(vocabulary.removed[0].pieces, ElementsAre(256, 'c'));
  const PatchTokenizer tokenizer = patched(vocabulary);
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("abc aa qr")), "abc aa qr");
}

TEST(PatchBuild, RefusesWhatCannotBe) {
  expect_error([] { build("xyxy", {.add = 0}); }, {"--add"}, ExitCode::kUsage);
  expect_error([] { build("xyxy", {.add = 1, .max_n = 1}); }, {"--max-n"}, ExitCode::kUsage);
  expect_error([] { build("abcdefg", {.add = 1}); }, {"--min-count"}, ExitCode::kUsage);
  expect_error([] { build("", {.add = 1}); }, {"n-gram"}, ExitCode::kUsage);
  expect_error([] { build("xyxy", {.add = 100, .swap = true}); }, {"--swap", "can be removed"},
               ExitCode::kUsage);
}

}  // namespace
}  // namespace trisect::phi2
