// phi2 calibrate and the files it makes.
#include <fmt/core.h>
#include <signal.h>

#include <chrono>
#include <thread>

#include "tests/cli/phi2_program.hpp"

namespace trisect::test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class Phi2Rotations : public Phi2Test {
 protected:
  static Finished calibrate(const Arguments& more, const std::string& max_tokens = "400") {
    Arguments arguments{"calibrate",
                        "--model",
                        "synthetic:phi-mini",
                        "--tokenizer",
                        phi_mini(),
                        "--text",
                        source("integration/texts/calibration.txt"),
                        "--max-tokens",
                        max_tokens};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return phi2(arguments);
  }
  static Finished generate(const std::string& model, const std::string& file) {
    return phi2({"generate", "--model", model, "--max-new-tokens", "2", "--larosa-sparsity", "0.4",
                 "--larosa-file", file});
  }
};

TEST_F(Phi2Rotations, ServeTheirModelOnly) {
  const std::string file = path("phi-mini.rotations");
  const Finished made = calibrate({"--output", file, "--damping", "0.02"});
  ASSERT_EQ(made.code, 0) << made.err;
  const std::string bytes = read_file(file);
  for (const char* key : {"model_hash", "text_hash", "text_tokens", "damping"})
    EXPECT_THAT(bytes, HasSubstr(key));
  EXPECT_EQ(generate("synthetic:phi-mini", file).code, 0);
  expect_complaint(generate(source("tests/fixtures/phi/head32_f32"), file), 3, "phi-mini.rotations");
}

TEST_F(Phi2Rotations, FilesThatAreNone) {
  expect_complaint(generate("synthetic:phi-mini", path("none")), 3, "none");
  expect_complaint(generate("synthetic:phi-mini", write("text", "no safetensors at all")), 3, "text");
  expect_complaint(generate("synthetic:phi-mini", source("tests/fixtures/phi/head32_f32/model.safetensors")),
                   3, "model.safetensors");
}

TEST_F(Phi2Rotations, TextsThatWillNotDo) {
  const std::string file = path("r");
  const Finished few = calibrate({"--output", file}, "319");
  EXPECT_EQ(few.code, 2);
  EXPECT_THAT(few.err, HasSubstr("phi2: the calibration text has 319 tokens; the model's 320 dimensions"));
  expect_complaint(phi2({"calibrate", "--model", "synthetic:phi-mini", "--text", "x", "--output", file}), 3,
                   "--tokenizer");
  expect_complaint(phi2({"calibrate", "--model", "synthetic:phi-mini", "--tokenizer", phi_mini(), "--text",
                         path("none"), "--output", file}),
                   3, "none");
  EXPECT_FALSE(fs::exists(file));
}

TEST_F(Phi2Rotations, OutputThatCannotBeWritten) {
  expect_complaint(calibrate({"--output", path("no/folder/r")}), 3, "r");
  expect_complaint(calibrate({"--output", path("")}), 3, "directory");
}

TEST_F(Phi2Rotations, ServeTheirModeOnly) {
  const std::string online = path("online"), merged = path("merged");
  ASSERT_EQ(calibrate({"--output", online}).code, 0);
  ASSERT_EQ(
      calibrate({"--output", merged, "--larosa-mode", "merged", "--larosa-rotation", "global", "--no-values"})
          .code,
      0);
  const auto run = [](const std::string& mode, const std::string& file) {
    return phi2({"generate", "--model", "synthetic:phi-mini", "--max-new-tokens", "2", "--larosa-sparsity",
                 "0.4", "--larosa-mode", mode, "--larosa-file", file});
  };
  EXPECT_EQ(run("merged", merged).code, 0);
  EXPECT_EQ(run("naive", online).code, 0);
  expect_complaint(run("merged", online), 3, "space is \"layernorm\", not \"centred\"");
  expect_complaint(run("online", merged), 3, "space is \"centred\", not \"layernorm\"");
}

TEST_F(Phi2Rotations, SearchedCoefficientsAreUsedWhereTheFileIs) {
  const std::string file = path("searched");
  const Finished made =
      calibrate({"--output", file, "--search", "--search-sparsity", "0.5", "--search-tokens", "64"});
  ASSERT_EQ(made.code, 0) << made.err;
  EXPECT_THAT(made.err, HasSubstr("searching coefficients at a sparsity of 0.500 on 64 tokens"));
  const std::size_t best = made.out.find("<- best");
  ASSERT_NE(best, std::string::npos) << made.out;
  const std::size_t line = made.out.rfind('\n', best) + 1;
  const std::string pair = made.out.substr(line, made.out.find(' ', line) - line);
  EXPECT_THAT(made.out.substr(line), HasSubstr("50.0"));
  EXPECT_THAT(read_file(file), HasSubstr("search_sparsity_permille"));
  EXPECT_FALSE(fs::exists(file + ".state"));

  const auto coefficients = [&](const Arguments& more) {
    Arguments arguments{"generate",
                        "--model",
                        "synthetic:phi-mini",
                        "--max-new-tokens",
                        "2",
                        "--larosa-file",
                        file,
                        "--larosa-sparsity",
                        "0.5",
                        "--json",
                        path("run.json")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    EXPECT_EQ(phi2(arguments).code, 0);
    const auto larosa = read_json(path("run.json"))["settings"]["larosa"];
    EXPECT_NEAR(larosa["weight_sparsity"].get<double>(), more.empty() ? 0.5 : 0.25, 0.002);
    return fmt::format("{:.3f},{:.3f}", larosa["coefficient_in"].get<double>(),
                       larosa["coefficient_out"].get<double>());
  };
  EXPECT_EQ(coefficients({}), pair);
  EXPECT_EQ(coefficients({"--larosa-coefficients", "0.5,0.5"}), "0.500,0.500");
}

TEST_F(Phi2Rotations, SearchesThatCannotBe) {
  const std::string file = path("r");
  expect_complaint(calibrate({"--output", file, "--search", "--search-sparsity", "0"}), 2, "within (0, 1)");
  expect_complaint(calibrate({"--output", file, "--search", "--search-sparsity", "1"}), 2,
                   "--search-sparsity 1 is not");
  expect_complaint(calibrate({"--output", file, "--search-sparsity", "0.4"}), 2, "--search");
  expect_complaint(calibrate({"--output", file, "--search", "--search-tokens", "1"}), 2, "--search-tokens");
  EXPECT_FALSE(fs::exists(file));
}

TEST_F(Phi2Rotations, InterruptedGoesOnWithTheSameCommand) {
  const Arguments arguments{"calibrate",
                            "--model",
                            "synthetic:phi-mini",
                            "--tokenizer",
                            phi_mini(),
                            "--text",
                            source("integration/texts/calibration.txt"),
                            "--output",
                            path("r"),
                            "--max-tokens",
                            "8000"};
  Program program(arguments);
  ASSERT_TRUE(program.wait_for("calibrating"));
  while (!fs::exists(path("r.state/progress.safetensors")))
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  program.send(SIGINT);
  const Finished stopped = program.finish();
  EXPECT_EQ(stopped.code, 130) << stopped.err;
  EXPECT_THAT(stopped.err, HasSubstr("the same command goes on"));
  EXPECT_FALSE(fs::exists(path("r")));

  Arguments other = arguments;
  other.insert(other.end(), {"--damping", "0.5"});
  const Finished refused = phi2(other);
  EXPECT_EQ(refused.code, 3);
  EXPECT_THAT(refused.err, HasSubstr("r.state"));
  EXPECT_EQ(phi2(arguments).code, 0);
  EXPECT_TRUE(fs::exists(path("r")));
  EXPECT_FALSE(fs::exists(path("r.state")));
}

}  // namespace
}  // namespace trisect::test
