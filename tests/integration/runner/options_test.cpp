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

TEST(ParseLarosa, OnlineUnlessAsked) {
  EXPECT_FALSE(parse_larosa({}));
  const auto online = parse_larosa({.sparsity = "0.5", .mode = "", .file = ""});
  ASSERT_TRUE(online);
  EXPECT_EQ(online->mode, phi2::LarosaMode::kOnline);
  EXPECT_EQ(online->in_permille(), 400);
  EXPECT_EQ(online->out_permille(), 600);
  EXPECT_FALSE(online->prefill);
  EXPECT_EQ(parse_larosa({.sparsity = "0.5", .mode = "naive", .file = ""})->mode, phi2::LarosaMode::kNaive);
}

TEST(ParseLarosa, RefusesOptionsWithoutEffect) {
  EXPECT_THROW(parse_larosa({.sparsity = {}, .mode = "naive", .file = ""}), Error);
  EXPECT_THROW(parse_larosa({.sparsity = {}, .mode = "", .file = "x"}), Error);
  EXPECT_THROW(parse_larosa({.sparsity = "0.834", .mode = "", .file = ""}),
               Error);  // 1.2 times as much: 1.0008
}

}  // namespace
}  // namespace trisect::runner
