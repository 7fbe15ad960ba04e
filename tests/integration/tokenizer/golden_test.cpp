// Against ids that Hugging Face's library made (scripts/tools/make_tokenizer_fixtures.py).
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "integration/phi2/tokenizer/bpe_tokenizer.hpp"
#include "integration/phi2/tokenizer/streaming_decoder.hpp"

namespace trisect::phi2 {
namespace {

const std::filesystem::path kSource = TRISECT_SOURCE_DIR;

void expect_golden(const Tokenizer& tokenizer, const std::string& name) {
  std::ifstream in(kSource / "tests/fixtures/tokenizer" / (name + ".json"));
  const auto golden = nlohmann::json::parse(in);
  ASSERT_GT(golden.at("cases").size(), 500u);
  int wrong = 0;
  for (const auto& expected : golden.at("cases")) {
    const auto text = expected.at("text").get<std::string>();
    const auto want = expected.at("ids").get<std::vector<TokenId>>();
    const std::vector<TokenId> ids = tokenizer.encode(text);
    if (ids != want && ++wrong <= 5) {
      ADD_FAILURE() << ::testing::PrintToString(text) << " gives " << ::testing::PrintToString(ids)
                    << ", not " << ::testing::PrintToString(want);
    }
    EXPECT_EQ(tokenizer.decode(want), expected.at("decoded").get<std::string>());
    StreamingDecoder stream(tokenizer);
    std::string streamed;
    for (const TokenId id : want) streamed += stream.next(id);
    EXPECT_EQ(streamed + stream.flush(), text);
  }
  EXPECT_EQ(wrong, 0) << "of " << golden.at("cases").size();
}

TEST(Golden, PhiMini) {
  const auto tokenizer = BpeTokenizer::load(kSource / "integration/models/phi-mini/tokenizer.json");
  EXPECT_EQ(tokenizer->end_of_text(), tokenizer->encode("<|endoftext|>").at(0));
  expect_golden(*tokenizer, "phi-mini");
}

class Phi2 : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* directory = std::getenv("TRISECT_PHI2_TOKENIZER");
    if (directory == nullptr) {
      GTEST_SKIP() << "set TRISECT_PHI2_TOKENIZER to a directory with phi-2's tokenizer.json";
    }
    tokenizer_ = BpeTokenizer::load(std::filesystem::path(directory) / "tokenizer.json");
  }
  std::unique_ptr<BpeTokenizer> tokenizer_;
};

TEST_F(Phi2, Golden) { expect_golden(*tokenizer_, "phi-2"); }

TEST_F(Phi2, Shape) {
  EXPECT_EQ(tokenizer_->size(), 50295);
  EXPECT_EQ(tokenizer_->end_of_text(), 50256);
}

TEST_F(Phi2, KnownTraps) {
  using Ids = std::vector<TokenId>;
  const std::pair<const char*, Ids> cases[] = {
      {"Hello world", {15496, 995}},
      {"return n", {7783, 299}},
      {"a  b", {64, 50286, 65}},
      {"a   b", {64, 50285, 65}},
      {"if x:\n        return y", {361, 2124, 25, 198, 50280, 7783, 331}},
      {" \tx", {220, 197, 87}},
      {"                                x", {50257, 2124}},
      {"                                 x", {50257, 50286, 87}},
      {"a\r\nb", {64, 201, 198, 65}},
      {"don't DON'T I'll I'LL we've", {9099, 470, 23917, 6, 51, 314, 1183, 314, 6, 3069, 356, 1053}},
      {"don\u2019t", {9099, 447, 247, 83}},
      {"2024\u5e74", {1238, 1731, 33176, 112}},
      {"\u00bd", {23141}},
      {"\uc815", {168, 254, 243}},
      {"\U0001f44d\U0001f3fd", {41840, 235, 8582, 237, 121}},
      {"x<|endoftext|>y", {87, 50256, 88}},
  };
  for (const auto& [text, ids] : cases) EXPECT_EQ(tokenizer_->encode(text), ids) << text;
}

}  // namespace
}  // namespace trisect::phi2
