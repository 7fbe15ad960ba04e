// Impossible command lines: one line, exit code 2 (3 where the machine cannot).
#include "tests/cli/phi2_program.hpp"

namespace trisect::test {
namespace {

using ::testing::HasSubstr;

TEST(Phi2Usage, HelpAndVersionAreGood) {
  for (const Arguments& arguments :
       {Arguments{"--help"}, {"generate", "--help"}, {"compare", "-h"}, {"--version"}}) {
    const Finished finished = phi2(arguments);
    EXPECT_EQ(finished.code, 0);
    EXPECT_FALSE(finished.out.empty());
    EXPECT_EQ(finished.err, "");
  }
  EXPECT_THAT(phi2({"--version"}).out, HasSubstr("revision"));
  EXPECT_THAT(phi2({"--help"}).out, HasSubstr("130 interrupted"));
}

TEST(Phi2Usage, UnknownThingsAreNamed) {
  expect_complaint(phi2({}), 2, "subcommand");
  expect_complaint(phi2({"compose"}), 2, "compose");
  expect_complaint(phi2({"generate", "--tempo", "3"}), 2, "--tempo");
  expect_complaint(phi2({"evaluate"}), 2, "--text");
  expect_complaint(phi2({"compare", "--model", "synthetic:phi-mini"}), 2, "--larosa-sparsity");
}

TEST(Phi2Usage, ValuesOutOfRange) {
  struct Case {
    Arguments options;
    std::string part;
  };
  for (const Case& wrong :
       {Case{{"--larosa-sparsity", "1.0"}, "not within [0, 1)"},
        {{"--larosa-sparsity", "-0.1"}, "not within [0, 1)"},
        {{"--larosa-sparsity", "nan"}, "not within [0, 1)"},
        {{"--larosa-sparsity", "0.4004"}, "three decimals"},
        {{"--larosa-sparsity", "0.9"}, "dense and fc2"},  // 1.2 times as much is beyond 1
        {{"--larosa-sparsity", "much"}, "not a number"},
        {{"--larosa-sparsity", ""}, "not a number"},
        {{"--larosa-sparsity", "0.4", "--larosa-mode", "offline"}, "offline"},
        {{"--larosa-sparsity", "0.4", "--larosa-rotation", "local"}, "local"},
        {{"--larosa-sparsity", "0.4", "--larosa-rotation", "layer", "--larosa-file", "x"}, "excludes"},
        {{"--larosa-sparsity", "0.4", "--larosa-coefficients", "1"}, "two numbers"},
        {{"--larosa-sparsity", "0.4", "--larosa-coefficients", "1,x"}, "not a number"},
        {{"--larosa-sparsity", "0.4", "--larosa-coefficients", "2.5,1"}, "q, k, v and fc1"},
        {{"--larosa-sparsity", "0.4", "--larosa-coefficients", "1,-1"}, "dense and fc2"},
        {{"--larosa-prefill"}, "--larosa-sparsity"},
        {{"--larosa-mode", "naive"}, "--larosa-sparsity"},
        {{"--larosa-file", "x"}, "--larosa-sparsity"},
        {{"--max-new-tokens", "0"}, "--max-new-tokens"},
        {{"--max-new-tokens", "10000000000"}, "--max-new-tokens"},
        {{"--temperature", "-1"}, "temperature"},
        {{"--top-p", "0"}, "top-p"},
        {{"--dtype", "f8"}, "f8"},
        {{"--threads", "0"}, "--threads"},
        {{"--threads", "9999"}, "--threads"},
        {{"--prompt", "a", "--prompt-tokens", "3"}, "excludes"},
        {{"--prompt", "a"}, "--tokenizer"}}) {
    Arguments arguments{"generate", "--model", "synthetic:phi-mini"};
    arguments.insert(arguments.end(), wrong.options.begin(), wrong.options.end());
    SCOPED_TRACE(::testing::PrintToString(arguments));
    const Finished finished = phi2(arguments);
    expect_complaint(finished, 2, wrong.part);
    EXPECT_EQ(finished.out, "");
  }
}

TEST(Phi2Usage, IdleThreadsMustNotSpin) {
  expect_complaint(phi2({"compare", "--model", "synthetic:phi-mini", "--larosa-sparsity", "0.4"},
                        {.environment = {{"OMP_WAIT_POLICY", "ACTIVE"}}}),
                   2, "OMP_WAIT_POLICY");
}

TEST(Phi2Usage, AVariantThatCannotBeForced) {
  const auto forced = [](const std::string& variants) {
    return phi2({"generate", "--prompt", "a", "--max-new-tokens", "1"},
                {.environment = {{"TRISECT_FORCE", variants}}});
  };
  expect_complaint(forced("dense/gemv=onednn_packed"), 2, "wants its operands prepared");
  expect_complaint(forced("dense/gemv=fastest"), 2, "has no variant 'fastest'");
  EXPECT_EQ(forced("dense/gemv=cpu_fma").code, 0);
}

}  // namespace
}  // namespace trisect::test
