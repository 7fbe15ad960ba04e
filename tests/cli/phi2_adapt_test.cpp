// phi2 adapt, and models with the vocabulary that it made.
#include "tests/cli/phi2_program.hpp"

namespace trisect::test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class Phi2Adapt : public Phi2Test {
 protected:
  Phi2Adapt() {
    write("corpus.txt", read_file(source("integration/texts/domain-train.txt")).substr(0, 60000));
    write("held-out.txt", read_file(source("integration/texts/domain.txt")).substr(0, 5000));
  }
  Finished adapt(const Arguments& more = {}) const {
    Arguments arguments{"adapt", "--model", phi_mini(), "--corpus",     path("corpus.txt"),
                        "--add", "200",     "--output", path("adapted")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return phi2(arguments);
  }
  std::string patch_file() const { return path("adapted/patch_tokenizer.json"); }
  static std::size_t tokens(const Finished& finished) {
    return static_cast<std::size_t>(std::count(finished.out.begin(), finished.out.end(), ' ')) + 1;
  }
};

TEST_F(Phi2Adapt, FewerTokensAndEveryByteBack) {
  const Finished built = adapt({"--held-out", path("held-out.txt"), "--json", path("adapt.json")});
  ASSERT_EQ(built.code, 0) << built.err;
  EXPECT_THAT(built.out, HasSubstr("held-out.txt, new lines"));
  const std::string text = read_file(path("held-out.txt"));
  const Finished base = phi2({"tokenize", "--model", phi_mini()}, {.input = text});
  const Arguments patched{"tokenize", "--model", phi_mini(), "--patch-tokenizer", patch_file()};
  const Finished ids = phi2(patched, {.input = text});
  ASSERT_EQ(ids.code, 0) << ids.err;
  EXPECT_LT(tokens(ids), 0.95 * static_cast<double>(tokens(base)));
  Arguments back = patched;
  back.emplace_back("--decode");
  EXPECT_EQ(phi2(back, {.input = ids.out}).out, text);

  const nlohmann::json json = read_json(path("adapt.json"));
  EXPECT_EQ(json["added"], 200);
  EXPECT_EQ(json["removed"], 0);
  ASSERT_EQ(json["texts"].size(), 3);
  EXPECT_EQ(json["texts"][1]["base_tokens"], tokens(base));
  EXPECT_EQ(json["texts"][1]["patched_tokens"], tokens(ids));
  EXPECT_EQ(json["top"].size(), 50);
  EXPECT_EQ(read_json(patch_file())["base"]["hash"].get<std::string>() + "\n",
            phi2({"tokenize", "--model", phi_mini(), "--hash"}).out);
}

TEST_F(Phi2Adapt, TheSameEveryTime) {
  ASSERT_EQ(adapt().code, 0);
  const std::string first = read_file(patch_file());
  ASSERT_EQ(adapt({"--threads", "1"}).code, 0);
  EXPECT_EQ(read_file(patch_file()), first);
}

TEST_F(Phi2Adapt, SwapKeepsTheSize) {
  ASSERT_EQ(adapt({"--swap", "--encoding", "released", "--score", "released", "--no-cross-words"}).code, 0);
  const nlohmann::json patch = read_json(patch_file());
  EXPECT_EQ(patch["removed"].size(), 200);
  EXPECT_EQ(patch["encoding"], "released");
  const std::string text = read_file(path("held-out.txt"));
  const Arguments patched{"tokenize", "--model", phi_mini(), "--patch-tokenizer", patch_file()};
  Arguments back = patched;
  back.emplace_back("--decode");
  EXPECT_EQ(phi2(back, {.input = phi2(patched, {.input = text}).out}).out, text);
}

TEST_F(Phi2Adapt, WhatCannotBe) {
  expect_complaint(adapt({"--swap", "--add", "4000"}), 2, "--add");
  expect_complaint(phi2({"adapt", "--model", phi_mini(), "--corpus", path("corpus.txt"), "--add", "9",
                         "--output", phi_mini()}),
                   2, "own directory");
  expect_complaint(phi2({"adapt", "--model", phi_mini(), "--corpus", path("none.txt"), "--add", "9",
                         "--output", path("out")}),
                   3, "none.txt");
  expect_complaint(phi2({"adapt", "--model", "synthetic:phi-2", "--corpus", path("corpus.txt"), "--add", "9",
                         "--output", path("out")}),
                   2, "no tokenizer");
  write("x.pkl", "\x80\x04");
  expect_complaint(
      phi2({"tokenize", "--model", phi_mini(), "--patch-tokenizer", path("x.pkl"), "--text", "x"}), 3,
      "scripts/tools/import_patch_tokenizer.py");
  write("cut.json", "{\"format\": \"trisect-patch");
  expect_complaint(phi2({"generate", "--patch-tokenizer", path("cut.json"), "--prompt", "x"}), 3, "cut.json");
  ASSERT_EQ(adapt().code, 0);
  nlohmann::json patch = read_json(patch_file());
  patch["base"]["hash"] = "0123456789abcdef";
  write("other.json", patch.dump());
  expect_complaint(phi2({"generate", "--patch-tokenizer", path("other.json"), "--prompt", "x"}), 3,
                   "base.hash");
  expect_complaint(phi2({"generate", "--model", "synthetic:phi-2", "--patch-tokenizer", patch_file()}), 2,
                   "--tokenizer");
}

TEST_F(Phi2Adapt, TheModelRunsAndAnAdaptedDirectoryIsTheSameModel) {
  if (!has_phi_mini()) GTEST_SKIP() << "phi-mini's weights are not here";
  ASSERT_EQ(adapt({"--weights"}).code, 0);
  EXPECT_EQ(read_json(path("adapted/config.json"))["vocab_size"],
            std::max(4096, read_json(patch_file())["added"].back()[0].get<int>() + 1));
  const Arguments common{"generate",         "--prompt", "The result of the sqlite3_step() in the database",
                         "--max-new-tokens", "12",       "--json"};
  const auto generate = [&](const std::string& name, const Arguments& more) {
    Arguments arguments = common;
    arguments.push_back(path(name));
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Finished finished = phi2(arguments);
    EXPECT_EQ(finished.code, 0) << finished.err;
    return read_json(path(name));
  };
  const nlohmann::json now = generate("now.json", {"--model", phi_mini(), "--patch-tokenizer", patch_file()});
  const nlohmann::json stored = generate("stored.json", {"--model", path("adapted")});
  const nlohmann::json base = generate("base.json", {"--model", phi_mini()});
  EXPECT_EQ(now["generations"][0]["ids"], stored["generations"][0]["ids"]);
  EXPECT_EQ(now["settings"]["patch"]["added"], 200);
  EXPECT_LT(now["generations"][0]["tokens_in"], base["generations"][0]["tokens_in"]);
  expect_complaint(phi2({"adapt", "--model", path("adapted"), "--corpus", path("corpus.txt"), "--add", "9",
                         "--output", path("twice")}),
                   2, "adapted already");
}

TEST_F(Phi2Adapt, CompareGivesEachSideItsTokens) {
  if (!has_phi_mini()) GTEST_SKIP() << "phi-mini's weights are not here";
  ASSERT_EQ(adapt().code, 0);
  write("prompts.txt", "The result of the sqlite3_step() in the database\nA transaction is\n");
  const Finished finished =
      phi2({"compare", "--patch-tokenizer", patch_file(), "--prompts", path("prompts.txt"),
            "--max-new-tokens", "4", "--repetitions", "1", "--text", path("held-out.txt"), "--text-tokens",
            "300", "--out", path("results")});
  ASSERT_EQ(finished.code, 0) << finished.err;
  const nlohmann::json json = read_json(path("results/compare.json"));
  EXPECT_TRUE(json["sides"][1]["agreement"].is_null()) << "ids of two vocabularies";
  EXPECT_TRUE(json["settings"]["larosa"].is_null());
  EXPECT_EQ(json["settings"]["patch"]["added"], 200);
  EXPECT_LT(json["sides"][1]["generations"][0]["tokens_in"], json["sides"][0]["generations"][0]["tokens_in"]);
  EXPECT_LT(json["sides"][1]["quality"]["tokens"], json["sides"][0]["quality"]["tokens"]);
  EXPECT_THAT(finished.out, ::testing::Not(HasSubstr("perplexity")));
  const Finished report = phi2({"--input", path("results"), "--output", path("report.md")},
                               {.program = TRISECT_BIN_DIR "/report"});
  EXPECT_EQ(report.code, 0) << report.err;
  expect_complaint(phi2({"compare", "--prompts", path("prompts.txt")}), 2, "--patch-tokenizer");
}

}  // namespace
}  // namespace trisect::test
