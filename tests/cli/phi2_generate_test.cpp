// phi2 generate, on random weights and, where it is there, on phi-mini.
#include <signal.h>

#include <sstream>

#include "tests/cli/phi2_program.hpp"

namespace trisect::test {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

class Phi2Generate : public Phi2Test {
 protected:
  static Arguments command(const Arguments& more) {
    Arguments arguments{"generate", "--model", "synthetic:phi-mini"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  static Finished generate(const Arguments& more) { return phi2(command(more)); }
};

TEST_F(Phi2Generate, IdsWithoutTokenizer) {
  const Finished finished = generate({"--max-new-tokens", "5"});
  EXPECT_EQ(finished.code, 0) << finished.err;
  EXPECT_THAT(finished.out, MatchesRegex("[0-9]+( [0-9]+){4}\n"));
  for (const char* figure : {"load", "prefill", "decode", "p99", "bandwidth probe", "memory"}) {
    EXPECT_THAT(finished.err, HasSubstr(figure));
  }
  EXPECT_EQ(generate({"--max-new-tokens", "5"}).out, finished.out);
  EXPECT_NE(generate({"--max-new-tokens", "5", "--prompt-tokens", "3"}).out, finished.out);
}

TEST_F(Phi2Generate, OneTokenNeedsNoDecoding) {
  const Finished finished = generate({"--max-new-tokens", "1", "--json", path("r.json")});
  EXPECT_EQ(finished.code, 0) << finished.err;
  EXPECT_TRUE(read_json(path("r.json"))["generations"][0]["token_s"].empty());
}

TEST_F(Phi2Generate, SamplingFollowsItsSeed) {
  const auto sampled = [&](const char* seed) {
    return generate({"--max-new-tokens", "8", "--temperature", "1", "--top-p", "0.9", "--prompt-tokens", "4",
                     "--seed", seed})
        .out;
  };
  EXPECT_EQ(sampled("7"), sampled("7"));
  EXPECT_NE(sampled("7"), sampled("8"));
}

TEST_F(Phi2Generate, LarosaThatDropsNothingChangesNothing) {
  const Arguments common{"--dtype", "f32", "--max-new-tokens", "6"};
  const auto with = [&](const Arguments& more) {
    Arguments all = common;
    all.insert(all.end(), more.begin(), more.end());
    const Finished finished = generate(all);
    EXPECT_EQ(finished.code, 0) << finished.err;
    return finished.out;
  };
  const std::string dense = with({});
  EXPECT_EQ(with({"--larosa-sparsity", "0", "--larosa-mode", "naive"}), dense);
  EXPECT_EQ(with({"--larosa-sparsity", "0", "--larosa-mode", "online"}), dense);
  EXPECT_NE(with({"--larosa-sparsity", ".8"}), dense);
}

TEST_F(Phi2Generate, Json) {
  const Finished finished = generate({"--prompt-tokens", "300", "--max-new-tokens", "4", "--larosa-sparsity",
                                      "0.5", "--threads", "1", "--json", path("r.json")});
  EXPECT_EQ(finished.code, 0) << finished.err;
  EXPECT_THAT(finished.err, HasSubstr("packed gemm"));
  EXPECT_THAT(finished.err, HasSubstr("48.3%  of the layers' weights"));
  const nlohmann::json json = read_json(path("r.json"));
  EXPECT_EQ(json["schema"], "trisect/generate");
  EXPECT_EQ(json["interrupted"], false);
  EXPECT_EQ(json["command"][1], "generate");
  EXPECT_EQ(json["model"]["parameters"], 10020096);
  EXPECT_EQ(json["settings"]["larosa"]["sparsity_permille"], 500);
  EXPECT_NEAR(json["settings"]["larosa"]["weight_sparsity"].get<double>(), 0.967 * 0.5, 0.002);
  EXPECT_EQ(json["settings"]["larosa"]["rotation"], "random");
  EXPECT_EQ(json["settings"]["threads"], 1);
  EXPECT_EQ(json["settings"]["context"], 304);
  const nlohmann::json& one = json["generations"][0];
  EXPECT_EQ(one["tokens_in"], 300);
  EXPECT_EQ(one["tokens_out"], 4);
  EXPECT_EQ(one["token_s"].size(), 3);
  EXPECT_EQ(one["finish"], "length");
  EXPECT_GT(one["prefill_s"], 0);
  EXPECT_GT(one["stages_s"]["in_product"], 0);
  EXPECT_GT(one["prefill_stages_s"]["in_product"], 0);
  EXPECT_GT(json["peaks"]["probe_gbps"], 0);
  EXPECT_GT(json["peaks"]["decode_of_probe"], 0);
  EXPECT_GT(json["peaks"]["onednn_packed_gemm_flops"], 0);
  EXPECT_GT(json["peaks"]["prefill_flops"], 0);
  EXPECT_GT(json["memory"]["rotations_bytes"], 0);
  EXPECT_GT(json["memory"]["peak_rss_bytes"], json["memory"]["weights_bytes"]);
}

TEST_F(Phi2Generate, PromptsFromFile) {
  const std::string prompts = write("prompts.txt", "first prompt\r\n\nsecond\n");
  const Finished finished = generate(
      {"--tokenizer", phi_mini(), "--prompts", prompts, "--max-new-tokens", "3", "--json", path("r.json")});
  EXPECT_EQ(finished.code, 0) << finished.err;
  const nlohmann::json json = read_json(path("r.json"));
  ASSERT_EQ(json["generations"].size(), 2);
  EXPECT_EQ(json["generations"][0]["prompt"], "first prompt");
  EXPECT_EQ(json["generations"][1]["prompt"], "second");
  expect_complaint(generate({"--tokenizer", phi_mini(), "--prompts", write("empty.txt", "\n")}), 2,
                   "no prompt");
  expect_complaint(generate({"--tokenizer", phi_mini(), "--prompts", path("none.txt")}), 3, "none.txt");
  expect_complaint(generate({"--tokenizer", phi_mini(), "--prompts", path("")}), 3, "cannot read");
}

TEST_F(Phi2Generate, NoPromptAtAll) {
  expect_complaint(generate({"--tokenizer", phi_mini()}), 2, "--prompt");
  expect_complaint(generate({"--tokenizer", phi_mini(), "--prompt", ""}), 2, "empty");
}

TEST_F(Phi2Generate, PromptThatIsNotUtf8IsEncodedAsItIs) {
  const Finished finished = generate({"--tokenizer", phi_mini(), "--prompt", "a\xff\xc3z", "--max-new-tokens",
                                      "2", "--json", path("r.json")});
  EXPECT_EQ(finished.code, 0) << finished.err;
  const std::string ids = phi2({"tokenize", "--model", phi_mini()}, {.input = "a\xff\xc3z"}).out;
  std::istringstream words(ids);
  const auto count = std::distance(std::istream_iterator<std::string>(words), {});
  const nlohmann::json json = read_json(path("r.json"));
  EXPECT_EQ(json["generations"][0]["tokens_in"], count);
  EXPECT_EQ(json["generations"][0]["prompt"], "a\uFFFD\uFFFDz");
}

TEST_F(Phi2Generate, LongerThanTheContext) {
  expect_complaint(generate({"--prompt-tokens", "500", "--max-new-tokens", "13"}), 2, "context of 512");
  EXPECT_EQ(generate({"--prompt-tokens", "500", "--max-new-tokens", "12"}).code, 0);
  expect_complaint(generate({"--context", "20", "--prompt-tokens", "16", "--max-new-tokens", "5"}), 2,
                   "context of 20");
  expect_complaint(generate({"--context", "513"}), 2, "512 positions");
}

TEST_F(Phi2Generate, OutputThatCannotBeWritten) {
  expect_complaint(phi2(command({"--max-new-tokens", "3"}), {.output_file = "/dev/full"}), 3,
                   "standard output");
  expect_complaint(generate({"--json", path("no/such/folder/r.json")}), 3, "r.json");
  expect_complaint(generate({"--json", path("")}), 3, "directory");
  const Finished full = generate({"--max-new-tokens", "3", "--json", "/dev/full"});
  EXPECT_EQ(full.code, 3);
  EXPECT_THAT(full.err, HasSubstr("phi2: cannot write /dev/full: No space left on device\n"));
}

TEST_F(Phi2Generate, InterruptedKeepsWhatItHas) {
  nlohmann::json one;
  // On a busy machine the text may be complete before the signal is on its way.
  for (int attempt = 0; attempt < 5 && one["finish"] != "interrupted"; ++attempt) {
    Program program(command({"--max-new-tokens", "490", "--json", path("r.json")}));
    ASSERT_TRUE(program.wait_for(" "));  // after the first id
    program.send(SIGINT);
    const Finished finished = program.finish();
    EXPECT_EQ(finished.code, 130) << finished.err;
    EXPECT_THAT(finished.err, ::testing::EndsWith("phi2: interrupted\n"));
    const nlohmann::json json = read_json(path("r.json"));
    EXPECT_EQ(json["interrupted"], true);
    one = json["generations"][0];
    std::istringstream words(finished.out);
    const std::vector<int> printed{std::istream_iterator<int>(words), {}};
    EXPECT_EQ(one["ids"].get<std::vector<int>>(), printed);
  }
  EXPECT_EQ(one["finish"], "interrupted");
  EXPECT_LT(one["tokens_out"], 490);
}

TEST_F(Phi2Generate, WritesWithPhiMini) {
  if (!has_phi_mini()) GTEST_SKIP() << "no weights in " << phi_mini();
  const Finished finished = phi2({"generate", "--prompt", "In SQLite, a transaction is", "--max-new-tokens",
                                  "12", "--json", path("r.json")});
  EXPECT_EQ(finished.code, 0) << finished.err;
  EXPECT_EQ(read_json(path("r.json"))["generations"][0]["text"].get<std::string>() + "\n", finished.out);
}

}  // namespace
}  // namespace trisect::test
