#include "integration/runner/options.hpp"

#include <gtest/gtest.h>

#include "kernels/core/error.hpp"

namespace trisect::runner {
namespace {

TEST(ParseSparsity, ThreeDecimalsAreExact) {
  EXPECT_EQ(parse_sparsity("0"), 0);
  EXPECT_EQ(parse_sparsity("0.4"), 400);
  EXPECT_EQ(parse_sparsity(".25"), 250);
  EXPECT_EQ(parse_sparsity("0.999"), 999);
  for (int permille = 0; permille < 1000; ++permille) {
    EXPECT_EQ(parse_sparsity(fmt::format("{:.3f}", permille / 1000.0)), permille);
  }
}

TEST(ParseSparsity, RefusesWhatIsNoSparsity) {
  for (const char* text : {"1", "1.0", "-0.1", "-0.001", "nan", "inf", "0.0001", "0.4x", "", " 0.4", "40%"}) {
    EXPECT_THROW(parse_sparsity(text), Error) << text;
  }
}

TEST(ParseCoefficients, TwoNumbers) {
  EXPECT_EQ(parse_coefficients("0.8,1.2").in_permille, 800);
  EXPECT_EQ(parse_coefficients("0.8,1.2").out_permille, 1200);
  EXPECT_EQ(parse_coefficients("0,1.125").out_permille, 1125);
  for (const char* text : {"", "1", "1,", ",1", "1,2,3", "1;2", "a,b", "1,0.0001", "nan,1", "1,1e9"}) {
    EXPECT_THROW(parse_coefficients(text), Error) << text;
  }
}

LarosaArguments with_sparsity(const char* sparsity) {
  LarosaArguments arguments;
  arguments.sparsity = sparsity;
  return arguments;
}

TEST(ParseLarosa, OnlineWithAMatrixForEachLayerUnlessAsked) {
  EXPECT_FALSE(parse_larosa({}));
  const auto online = parse_larosa(with_sparsity("0.5"));
  ASSERT_TRUE(online);
  EXPECT_EQ(online->mode, phi2::LarosaMode::kOnline);
  EXPECT_EQ(online->rotation, phi2::RotationKind::kLayer);
  EXPECT_EQ(online->in_permille(), 400);
  EXPECT_EQ(online->out_permille(), 600);
  EXPECT_FALSE(online->prefill);
  LarosaArguments arguments = with_sparsity("0.5");
  arguments.mode = "merged";
  arguments.rotation = "global";
  arguments.coefficients = "1,0.9";
  arguments.prefill = true;
  const auto merged = parse_larosa(arguments);
  EXPECT_EQ(merged->mode, phi2::LarosaMode::kMerged);
  EXPECT_EQ(merged->rotation, phi2::RotationKind::kGlobal);
  EXPECT_EQ(merged->in_permille(), 500);
  EXPECT_EQ(merged->out_permille(), 450);
  EXPECT_TRUE(merged->prefill);
}

TEST(ParseLarosa, NamesOfModesAreReadAsTheyAreWritten) {
  for (const char* name : {"naive", "online", "merged"}) EXPECT_EQ(name_of(mode_from_name(name)), name);
  EXPECT_THROW(mode_from_name("offline"), Error);
}

TEST(ParseLarosa, RefusesOptionsWithoutEffect) {
  LarosaArguments mode, rotation, file, coefficients, prefill;
  mode.mode = "naive";
  rotation.rotation = "layer";
  file.file = "x";
  coefficients.coefficients = "1,1";
  prefill.prefill = true;
  for (const LarosaArguments& arguments : {mode, rotation, file, coefficients, prefill}) {
    EXPECT_THROW(parse_larosa(arguments), Error);
  }
  EXPECT_THROW(parse_larosa(with_sparsity("0.834")), Error);  // 1.2 times as much: 1.0008
}

}  // namespace
}  // namespace trisect::runner
