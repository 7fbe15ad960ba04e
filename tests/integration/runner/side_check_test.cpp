#include "integration/runner/side_check.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace trisect::runner {
namespace {

TEST(SideCheck, TokensOfShortAndLongPrompts) {
  const auto of = [](std::size_t count) {
    const CheckedTokens tokens = tokens_to_check(count);
    return std::pair(tokens.tokens, tokens.prefilled);
  };
  EXPECT_EQ(of(1), std::pair(1ul, 1ul));
  EXPECT_EQ(of(2), std::pair(2ul, 1ul));
  EXPECT_EQ(of(3), std::pair(3ul, 1ul));
  EXPECT_EQ(of(5), std::pair(5ul, 3ul));
  EXPECT_EQ(of(500), std::pair(6ul, 4ul));
}

TEST(SideCheck, ToleranceIsThatOfTheWeights) {
  const CheckedLogits plain{3, 2, {1, -1, 1, -1, 1, -1}};
  const auto passes = [&](float difference, Dtype weights) {
    CheckedLogits got = plain;
    for (float& value : got.values) value += difference;
    const SideCheck side = judge(got, plain, weights);
    EXPECT_EQ(side.tokens, 3);
    EXPECT_NEAR(side.check.error, difference, 1e-6);
    return side.check.status == CheckStatus::kPass;
  };
  EXPECT_TRUE(passes(5e-5f, Dtype::kF32));
  EXPECT_FALSE(passes(2e-4f, Dtype::kF32));
  EXPECT_TRUE(passes(1e-2f, Dtype::kBf16));
  EXPECT_FALSE(passes(3e-2f, Dtype::kBf16));
  EXPECT_FALSE(passes(3e-2f, Dtype::kF16));
}

TEST(SideCheck, WhatIsNoNumberOrOfAnotherShapeFails) {
  const CheckedLogits plain{1, 1, {1, 2}};
  EXPECT_EQ(judge({1, 1, {1, NAN}}, plain, Dtype::kBf16).check.status, CheckStatus::kFail);
  EXPECT_EQ(judge({1, 1, {1, 2, 3}}, plain, Dtype::kBf16).check.status, CheckStatus::kFail);
}

}  // namespace
}  // namespace trisect::runner
