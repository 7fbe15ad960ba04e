// phi2 evaluate.
#include <cmath>
#include <sstream>

#include "tests/cli/phi2_program.hpp"

namespace trisect::test {
namespace {

using ::testing::HasSubstr;

class Phi2Evaluate : public Phi2Test {
 protected:
  static Finished evaluate(const std::string& text, const Arguments& more) {
    Arguments arguments{"evaluate", "--model", "synthetic:phi-mini", "--tokenizer", phi_mini(),
                        "--text",   text};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return phi2(arguments);
  }
};

TEST_F(Phi2Evaluate, RandomWeightsKnowNothing) {
  const std::string text = write("t.txt", read_file(source("integration/texts/general.txt")).substr(0, 6000));
  const Finished finished = evaluate(text, {"--json", path("r.json")});
  ASSERT_EQ(finished.code, 0) << finished.err;
  EXPECT_THAT(finished.out, HasSubstr("perplexity"));
  const nlohmann::json json = read_json(path("r.json"));
  EXPECT_EQ(json["schema"], "trisect/evaluate");
  EXPECT_EQ(json["text"], "t.txt");
  EXPECT_GT(json["tokens"], 1024);
  EXPECT_EQ(json["predicted_tokens"], json["tokens"].get<int>() - (json["tokens"].get<int>() + 511) / 512);
  EXPECT_GT(json["nll_nats"], 0.8 * std::log(4096));
  EXPECT_NEAR(json["perplexity"].get<double>(), std::exp(json["nll_nats"].get<double>()),
              1e-6 * json["perplexity"].get<double>());
  EXPECT_NEAR(json["bits_per_character"].get<double>(),
              json["nll_nats"].get<double>() * json["predicted_tokens"].get<double>() / std::log(2) /
                  json["predicted_characters"].get<double>(),
              1e-9);
  // Selection in every token, as in decoding.
  const Finished sparse = evaluate(text, {"--larosa-sparsity", "0.6", "--json", path("s.json")});
  ASSERT_EQ(sparse.code, 0) << sparse.err;
  EXPECT_NE(read_json(path("s.json"))["nll_nats"], json["nll_nats"]);
}

TEST_F(Phi2Evaluate, TextsThatWillNotDo) {
  expect_complaint(evaluate(path("none.txt"), {}), 3, "none.txt");
  expect_complaint(evaluate(path(""), {}), 3, "cannot read");
  expect_complaint(evaluate(write("short.txt", ""), {}), 2, "0 tokens");
  expect_complaint(phi2({"evaluate", "--model", "synthetic:phi-mini", "--text", "x"}), 2, "--tokenizer");
}

TEST_F(Phi2Evaluate, SweepsOverModesRotationsAndSparsities) {
  const std::string text = write("t.txt", read_file(source("integration/texts/general.txt")).substr(0, 3000));
  const Finished finished = evaluate(text, {"--larosa-sweep", "0,0.5", "--json", path("r.json")});
  ASSERT_EQ(finished.code, 0) << finished.err;
  for (const char* part : {"perplexity", "KL", "online layer", "merged global", "none", "decode + prefill",
                           "share of the layers' weights      0.000   0.483"})
    EXPECT_THAT(finished.out, HasSubstr(part));
  const nlohmann::json json = read_json(path("r.json"));
  EXPECT_EQ(json["schema"], "trisect/sweep");
  EXPECT_EQ(json["text"]["hash"].get<std::string>().size(), 16u);
  ASSERT_EQ(json["points"].size(), 2u * 4 * 2 * 2);
  for (const auto& point : json["points"]) {
    const bool keeps_all = point["sparsity_permille"] == 0;
    EXPECT_EQ(point["kl_nats"].get<double>() < 1e-3, keeps_all) << point;
    EXPECT_EQ(point["weight_sparsity"].get<double>() == 0, keeps_all);
    if (keeps_all) {
      EXPECT_NEAR(point["nll_nats"].get<double>(), json["dense"]["nll_nats"].get<double>(), 1e-2);
    }
  }
  write("sweep.json", read_file(path("r.json")));
  const Finished report =
      phi2({"--input", path(""), "--output", path("report.md")}, {.program = TRISECT_BIN_DIR "/report"});
  EXPECT_EQ(report.code, 0) << report.err;
  EXPECT_THAT(read_file(path("report.md")), HasSubstr("## Quality against sparsity: synthetic:phi-mini"));
  const Finished one = evaluate(text, {"--larosa-sweep", "0.5", "--larosa-mode", "merged",
                                       "--larosa-rotation", "none", "--json", path("one.json")});
  ASSERT_EQ(one.code, 0) << one.err;
  EXPECT_EQ(read_json(path("one.json"))["points"].size(), 2u);
}

TEST_F(Phi2Evaluate, SweepsThatCannotBe) {
  const std::string text = write("t.txt", std::string(6000, 'a'));
  expect_complaint(evaluate(text, {"--larosa-sweep", "0,1"}), 2, "not within [0, 1)");
  expect_complaint(evaluate(text, {"--larosa-sweep", "0,,0.5"}), 2, "not a number");
  expect_complaint(evaluate(text, {"--larosa-sweep", "0.9"}), 2, "dense and fc2");
  expect_complaint(evaluate(text, {"--larosa-sweep", "0.5", "--larosa-sparsity", "0.4"}), 2,
                   "--larosa-sparsity");
  expect_complaint(evaluate(text, {"--larosa-sweep", "0.5", "--text-tokens", "200"}), 2, "200 tokens");
}

/// What transformers says of phi-mini (scripts/train/evaluate.py) is what is said here; the first window is
/// enough.
TEST_F(Phi2Evaluate, AgreesWithTransformers) {
  const std::string reference = phi_mini() + "/reference_eval.json";
  if (!has_phi_mini() || !std::filesystem::exists(reference)) GTEST_SKIP() << "no " << reference;
  const std::string text = read_file(source("integration/texts/general.txt")).substr(0, 8000);
  std::istringstream ids(phi2({"tokenize"}, {.input = text}).out);
  std::string window, id;
  for (int i = 0; i < 512 && ids >> id; ++i) window += id + " ";
  const std::string first = write("first.txt", phi2({"tokenize", "--decode"}, {.input = window}).out);

  const Finished finished = phi2({"evaluate", "--text", first, "--dtype", "f32", "--json", path("r.json")});
  ASSERT_EQ(finished.code, 0) << finished.err;
  const nlohmann::json json = read_json(path("r.json"));
  ASSERT_EQ(json["tokens"], 512);
  const double expected = read_json(reference)["texts"]["general"]["first_window_nll_nats"];
  EXPECT_NEAR(json["nll_nats"].get<double>() / expected, 1, 1e-3);
}

}  // namespace
}  // namespace trisect::test
