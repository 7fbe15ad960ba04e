// phi2 vocabulary, and the adapted model that is shipped.
#include "tests/cli/phi2_program.hpp"

namespace trisect::test {
namespace {

using ::testing::HasSubstr;

class Phi2Vocabulary : public Phi2Test {
 protected:
  Phi2Vocabulary() {
    write("domain.txt", read_file(source("integration/texts/domain.txt")).substr(0, 3000));
    write("prompts.txt", "The SQLite database file is\nA transaction is\n");
  }
  static std::string adapted() { return source("integration/models/phi-mini-sqlite"); }
  void SetUp() override {
    if (!has_phi_mini()) GTEST_SKIP() << "phi-mini's weights are not here";
  }
  Finished vocabulary(const std::string& patch, const Arguments& more = {}) const {
    Arguments arguments{"vocabulary",
                        "--model",
                        phi_mini(),
                        "--patch-tokenizer",
                        patch,
                        "--text",
                        path("domain.txt"),
                        "--prompts",
                        path("prompts.txt"),
                        "--text-characters",
                        "1000",
                        "--max-new-tokens",
                        "4",
                        "--seeds",
                        "2",
                        "--json",
                        path("out/vocabulary.json")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return phi2(arguments);
  }
};

TEST_F(Phi2Vocabulary, BaseBesidePatchedAndFineTuned) {
  std::filesystem::create_directory(path("out"));
  const Finished finished = vocabulary(adapted(), {"--also", phi_mini()});
  ASSERT_EQ(finished.code, 0) << finished.err;
  const nlohmann::json json = read_json(path("out/vocabulary.json"));
  ASSERT_EQ(json["sides"].size(), 4);
  const auto& base = json["sides"][0];
  const auto &also = json["sides"][1], &patched = json["sides"][2], &tuned = json["sides"][3];
  EXPECT_EQ(tuned["name"], "adapted");
  EXPECT_EQ(also["quality"][0]["bits_per_character"], base["quality"][0]["bits_per_character"]);
  EXPECT_EQ(patched["vocabulary"], tuned["vocabulary"]);
  EXPECT_NE(patched["hash"], tuned["hash"]);
  EXPECT_LT(tuned["quality"][0]["tokens"], base["quality"][0]["tokens"]);
  EXPECT_EQ(tuned["quality"][0]["characters"], 1000);
  EXPECT_LT(tuned["quality"][0]["bits_per_character"], patched["quality"][0]["bits_per_character"])
      << "what fine-tuning is for";
  ASSERT_EQ(tuned["samples"].size(), 4) << "two prompts with two seeds";
  EXPECT_EQ(tuned["samples"][2]["seed"], tuned["samples"][0]["seed"].get<int>() + 1);
  EXPECT_LT(json["texts"][0]["patched_tokens"], json["texts"][0]["base_tokens"]);
  EXPECT_FALSE(json["top"]["tokens"].empty());
  const Finished report =
      phi2({"--input", path("out"), "--output", path("report.md")}, {.program = TRISECT_BIN_DIR "/report"});
  ASSERT_EQ(report.code, 0) << report.err;
  EXPECT_THAT(read_file(path("report.md")), HasSubstr("## An adapted vocabulary"));
}

TEST_F(Phi2Vocabulary, AnAdaptedModelByPathIsTheModel) {
  const auto generate = [&](const Arguments& model) {
    Arguments arguments{"generate", "--prompt", "A transaction is", "--max-new-tokens",
                        "8",        "--json",   path("out.json")};
    arguments.insert(arguments.end(), model.begin(), model.end());
    const Finished finished = phi2(arguments);
    EXPECT_EQ(finished.code, 0) << finished.err;
    return read_json(path("out.json"));
  };
  const nlohmann::json own = generate({"--model", adapted()});
  const nlohmann::json named = generate({"--model", phi_mini(), "--patch-tokenizer", adapted()});
  const nlohmann::json made =
      generate({"--model", phi_mini(), "--patch-tokenizer", adapted() + "/patch_tokenizer.json"});
  EXPECT_EQ(own["model"]["hash"], named["model"]["hash"]);
  EXPECT_EQ(own["generations"][0]["ids"], named["generations"][0]["ids"]);
  EXPECT_EQ(own["settings"]["patch"]["weights"], "stored");
  EXPECT_EQ(made["settings"]["patch"]["weights"], "patched");
  EXPECT_EQ(made["settings"]["patch"]["hash"], own["settings"]["patch"]["hash"]);
  EXPECT_NE(made["model"]["hash"], own["model"]["hash"]);
  EXPECT_GT(own["per_character"]["characters_per_s"], 0);
  expect_complaint(phi2({"generate", "--patch-tokenizer", phi_mini(), "--prompt", "x"}), 2, "is not adapted");
}

TEST_F(Phi2Vocabulary, ExportForTransformersSaysWhatCannotBeExpressed) {
  const Finished finished = phi2({"adapt", "--model", adapted(), "--export-hf", path("hf")});
  ASSERT_EQ(finished.code, 0) << finished.err;
  EXPECT_THAT(finished.err, HasSubstr("cannot be expressed"));
  const nlohmann::json patch = read_json(adapted() + "/patch_tokenizer.json");
  const nlohmann::json tokenizer = read_json(path("hf/tokenizer.json"));
  EXPECT_EQ(tokenizer["model"]["vocab"].size(),
            patch["base"]["tokens"].get<std::size_t>() + patch["added"].size());
  // It is a tokenizer like others: what it encodes comes back, and what phi2 makes decodes.
  const std::string text = read_file(path("domain.txt"));
  const auto ids = [&](const std::string& model) {
    return phi2({"tokenize", "--model", model}, {.input = text}).out;
  };
  const auto back = [&](const std::string& of) {
    return phi2({"tokenize", "--model", path("hf"), "--decode"}, {.input = of}).out;
  };
  EXPECT_EQ(back(ids(path("hf"))), text);
  EXPECT_EQ(back(ids(adapted())), text);
  EXPECT_LT(ids(path("hf")).size(), ids(phi_mini()).size()) << "words have fewer tokens";
  EXPECT_EQ(phi2({"generate", "--model", path("hf"), "--prompt", "A table", "--max-new-tokens", "2"}).code,
            0);
}

TEST_F(Phi2Vocabulary, WhatCannotBe) {
  expect_complaint(phi2({"vocabulary", "--model", phi_mini()}), 2, "--patch-tokenizer is missing");
  std::filesystem::create_directory(path("out"));
  expect_complaint(vocabulary("none.json"), 3, "none.json");
  expect_complaint(phi2({"adapt", "--model", phi_mini(), "--export-hf", path("hf")}), 2,
                   "has no patch_tokenizer.json");
  expect_complaint(phi2({"adapt", "--model", phi_mini(), "--corpus", path("domain.txt"), "--add", "9",
                         "--output", path("a"), "--export-hf", path("hf")}),
                   2, "add --weights");
  expect_complaint(phi2({"adapt", "--model", phi_mini(), "--corpus", path("domain.txt"), "--add", "9",
                         "--swap", "--weights", "--output", path("b"), "--export-hf", path("hf")}),
                   2, "adapt without --swap");
}

}  // namespace
}  // namespace trisect::test
