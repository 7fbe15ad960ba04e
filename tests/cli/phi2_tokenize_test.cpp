// phi2 tokenize: ids out, exact bytes back.
#include "tests/cli/phi2_program.hpp"

namespace trisect::test {
namespace {

class Phi2Tokenize : public Phi2Test {
 protected:
  static Finished tokenize(const std::string& input, bool decode = false) {
    Arguments arguments{"tokenize", "--model", phi_mini()};
    if (decode) arguments.emplace_back("--decode");
    return phi2(arguments, {.input = input});
  }
};

TEST_F(Phi2Tokenize, IdsOnOneLine) {
  const Finished text = phi2({"tokenize", "--model", phi_mini(), "--text", "hello world"});
  EXPECT_EQ(text.code, 0);
  EXPECT_THAT(text.out, ::testing::MatchesRegex("[0-9]+( [0-9]+)*\n"));
  EXPECT_EQ(tokenize("hello world").out, text.out);
  EXPECT_EQ(tokenize("").out, "\n");
  EXPECT_EQ(phi2({"tokenize", "--model", phi_mini(), "--text", ""}).out, "\n");
}

TEST_F(Phi2Tokenize, EveryByteComesBack) {
  std::string bytes = "caf\xc3\xa9 \xf0\x9f\x98\x80 \xff\xfe\xc3 <|endoftext|>\r\n\n";
  for (int byte = 0; byte < 256; ++byte) bytes += static_cast<char>(byte);
  const Finished ids = tokenize(bytes);
  EXPECT_EQ(ids.code, 0);
  const Finished back = tokenize(ids.out, true);
  EXPECT_EQ(back.code, 0);
  EXPECT_EQ(back.out, bytes);
}

TEST_F(Phi2Tokenize, IdsThatAreNone) {
  expect_complaint(tokenize("1 2 4096", true), 2, "4096");
  expect_complaint(tokenize("-1", true), 2, "-1");
  expect_complaint(tokenize("99999999999999999999", true), 2, "99999999999999999999");
  expect_complaint(tokenize("1, 2", true), 2, "1,");
  EXPECT_EQ(tokenize(" \n ", true).out, "");
}

TEST_F(Phi2Tokenize, DirectoriesWithoutTokenizer) {
  expect_complaint(phi2({"tokenize", "--model", path(""), "--text", "x"}), 3, "tokenizer.json");
  expect_complaint(phi2({"tokenize", "--model", "synthetic:phi-2", "--text", "x"}), 2, "no tokenizer");
  write("tokenizer.json", "[1, 2");
  expect_complaint(phi2({"tokenize", "--model", path(""), "--text", "x"}), 3, "tokenizer.json");
}

TEST_F(Phi2Tokenize, FullDisk) {
  expect_complaint(phi2({"tokenize", "--model", phi_mini(), "--text", "x"}, {.output_file = "/dev/full"}), 3,
                   "standard output");
}

}  // namespace
}  // namespace trisect::test
