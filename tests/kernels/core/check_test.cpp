#include "kernels/core/check.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace trisect {
namespace {

Check close(std::vector<float> got, std::vector<float> want, double tolerance) {
  return check_close(View::of(got.data(), 1, static_cast<std::int64_t>(got.size())),
                     View::of(want.data(), 1, static_cast<std::int64_t>(want.size())), tolerance);
}

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

TEST(CheckClose, MeasuresTheRelativeNorm) {
  const Check check = close({3, 4.1f}, {3, 4}, 0.03);
  EXPECT_EQ(check.status, CheckStatus::kPass);
  EXPECT_NEAR(check.error, 0.02, 1e-6);
  EXPECT_EQ(close({3, 4.1f}, {3, 4}, 0.01).status, CheckStatus::kFail);
}

TEST(CheckClose, NanAndInfinityMustStandInTheSamePlaces) {
  EXPECT_EQ(close({1, kNan, kInf}, {1, kNan, kInf}, 0).status, CheckStatus::kPass);
  EXPECT_EQ(close({1, kNan}, {1, 2}, 1e9).status, CheckStatus::kFail);
  EXPECT_EQ(close({1, 2}, {1, kNan}, 1e9).status, CheckStatus::kFail);
  EXPECT_EQ(close({1, -kInf}, {1, kInf}, 1e9).status, CheckStatus::kFail);
}

TEST(CheckClose, MostlyZeroIsMistrusted) {
  std::vector<float> zeros(20, 0.0f);
  zeros[0] = 1;
  EXPECT_EQ(close(zeros, zeros, 1e-3).status, CheckStatus::kMistrusted);
  std::vector<float> wrong = zeros;
  wrong[1] = 1;
  EXPECT_EQ(close(wrong, zeros, 1e-3).status, CheckStatus::kFail) << "a wrong result stays wrong";
}

TEST(CheckClose, ShapesMustAgree) { EXPECT_EQ(close({1}, {1, 2}, 1).status, CheckStatus::kFail); }

TEST(CheckEqual, ComparesBits) {
  std::vector<float> a{0.0f, 1.0f}, b{-0.0f, 1.0f};
  EXPECT_EQ(check_equal(View::of(a.data(), 1, 2), View::of(a.data(), 1, 2)).status, CheckStatus::kPass);
  const Check check = check_equal(View::of(a.data(), 1, 2), View::of(b.data(), 1, 2));
  EXPECT_EQ(check.status, CheckStatus::kFail);
  EXPECT_NE(check.detail.find("[0,0]"), std::string::npos);
}

TEST(Worse, FailBeforeMistrustedBeforePass) {
  const Check pass{CheckStatus::kPass, 0.1, 1, ""}, mistrusted{CheckStatus::kMistrusted, 0, 1, ""},
      fail{CheckStatus::kFail, 0, 1, ""};
  EXPECT_EQ(worse(pass, mistrusted).status, CheckStatus::kMistrusted);
  EXPECT_EQ(worse(fail, mistrusted).status, CheckStatus::kFail);
  EXPECT_EQ(worse(pass, {CheckStatus::kPass, 0.2, 1, ""}).error, 0.2);
}

}  // namespace
}  // namespace trisect
