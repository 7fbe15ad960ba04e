// What patched vocabularies do to texts with phi-2's own tokenizer, which is not part of this repository.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "integration/phi2/tokenizer/bpe_tokenizer.hpp"
#include "integration/phi2/tokenizer/patch_build.hpp"
#include "integration/phi2/tokenizer/patch_tokenizer.hpp"

namespace trisect::phi2 {
namespace {

const std::filesystem::path kSource = TRISECT_SOURCE_DIR;

std::string read_text(const char* name) {
  std::ifstream in(kSource / "integration/texts" / name, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class Phi2Patch : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* directory = std::getenv("TRISECT_PHI2_TOKENIZER");
    if (directory == nullptr)
      GTEST_SKIP() << "set TRISECT_PHI2_TOKENIZER to a directory with phi-2's tokenizer.json";
    file_ = read_tokenizer_file(std::filesystem::path(directory) / "tokenizer.json");
  }

  PatchTokenizer build(const PatchBuildOptions& options) const {
    auto base = BpeTokenizer::from(TokenizerFile(file_));
    const PatchBuild built = build_patch(file_, *base, read_text("domain-train.txt"), options);
    EXPECT_EQ(built.vocabulary.added.size(), static_cast<std::size_t>(options.add));
    return {std::move(base), built.vocabulary.base_hash, built.vocabulary, "test"};
  }

  /// Patched tokens for each base token. The text must come back.
  static double share(const PatchTokenizer& tokenizer, const std::string& text) {
    const std::vector<TokenId> ids = tokenizer.encode(text);
    EXPECT_EQ(tokenizer.decode(ids), text);
    return static_cast<double>(ids.size()) / static_cast<double>(tokenizer.base().encode(text).size());
  }

  TokenizerFile file_;
};

TEST_F(Phi2Patch, TenThousandNgramsSaveThreeTokensOfTenOnPagesThatWereHeldOut) {
  const PatchTokenizer tokenizer = build({.add = 10000, .max_n = 3});
  EXPECT_EQ(tokenizer.size(), 50295 + 10000);
  EXPECT_LT(share(tokenizer, read_text("domain.txt")), 0.70);
  const std::string general = read_text("general.txt");
  EXPECT_LT(share(tokenizer, general), 1.0);
  // Extended: no text gets longer, whatever it is.
  for (std::size_t at = 0; at + 200 < general.size(); at += 5003) {
    const std::string part = general.substr(at, 200);
    ASSERT_LE(share(tokenizer, part), 1.0) << at;
  }
  for (const char* text :
       {"\u0441\u043b\u043e\u0432\u043e \u05e2\u05d1\u05e8\u05d9\u05ea \u65e5\u672c\u8a9e",
        "   \t\t  \n\n  x", "<|endoftext|><|endoftext|>", "\xff\xfe\xfd", "zyzzyva qoph"}) {
    EXPECT_LE(share(tokenizer, text), 1.0) << text;
  }
}

TEST_F(Phi2Patch, ThePaddingRowsAloneSaveAFifth) {
  const PatchTokenizer tokenizer = build({.add = 905, .max_n = 3});
  EXPECT_EQ(tokenizer.size(), 51200) << "phi-2's tables as they are";
  EXPECT_LT(share(tokenizer, read_text("domain.txt")), 0.81);
}

TEST_F(Phi2Patch, SwappedSavesAsMuchAndMakesOtherTextsLonger) {
  const PatchTokenizer tokenizer = build({.add = 10000, .max_n = 3, .swap = true});
  EXPECT_EQ(tokenizer.size(), 50295);
  EXPECT_LT(share(tokenizer, read_text("domain.txt")), 0.71);
  EXPECT_LT(share(tokenizer, read_text("general.txt")), 1.0);
  EXPECT_GT(share(tokenizer, " archaeologists Shakespeare Mediterranean mythological Buddhism cathedral"),
            1.0)
      << "words that SQLite's pages do not have";
}

}  // namespace
}  // namespace trisect::phi2
