#include "kernels/core/dtype.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/core/error.hpp"
#include "tests/kernels/machines.hpp"

namespace trisect {
namespace {

TEST(Bf16, WidensExactlyAndNarrowsBack) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const bf16 value{static_cast<std::uint16_t>(bits)};
    const float wide = to_f32(value);
    if (std::isnan(wide)) {
      EXPECT_TRUE(std::isnan(to_f32(to_bf16(wide))));
    } else {
      EXPECT_EQ(to_bf16(wide).bits, value.bits);
    }
  }
}

TEST(Bf16, RoundsToNearestEven) {
  EXPECT_EQ(to_bf16(1.0f + 0x1p-8f).bits, to_bf16(1.0f).bits);  // halfway: to the even one below
  EXPECT_EQ(to_f32(to_bf16(1.0f + 0x3p-8f)), 1.0f + 0x1p-6f);   // halfway: to the even one above
  EXPECT_EQ(to_f32(to_bf16(1.0f + 0x1p-8f + 0x1p-20f)), 1.0f + 0x1p-7f);
  EXPECT_EQ(to_f32(to_bf16(std::numeric_limits<float>::max())), std::numeric_limits<float>::infinity());
}

/// The value of an f16, from its definition.
double f16_value(std::uint16_t bits) {
  const int exponent = bits >> 10 & 31, mantissa = bits & 1023;
  const double sign = bits & 0x8000 ? -1 : 1;
  if (exponent == 31) return mantissa ? std::nan("") : sign * std::numeric_limits<double>::infinity();
  return sign * (exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25));
}

TEST(F16, WidensExactlyAndNarrowsBack) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const f16 value{static_cast<std::uint16_t>(bits)};
    const double want = f16_value(value.bits);
    if (std::isnan(want)) {
      EXPECT_TRUE(std::isnan(to_f32(value)));
      EXPECT_TRUE(std::isnan(to_f32(to_f16(to_f32(value)))));
    } else {
      ASSERT_EQ(to_f32(value), want) << bits;
      ASSERT_EQ(to_f16(to_f32(value)).bits, value.bits) << bits;
    }
  }
}

TEST(F16, RoundsToNearestEven) {
  EXPECT_EQ(f16_value(to_f16(2049.0f).bits), 2048);
  EXPECT_EQ(f16_value(to_f16(2051.0f).bits), 2052);
  EXPECT_EQ(f16_value(to_f16(65519.0f).bits), 65504);
  EXPECT_EQ(f16_value(to_f16(65520.0f).bits), std::numeric_limits<double>::infinity());
  EXPECT_EQ(f16_value(to_f16(0x1p-25f).bits), 0);        // halfway to the smallest denormal
  EXPECT_EQ(f16_value(to_f16(0x3p-25f).bits), 0x1p-23);  // halfway between the first two
}

TEST(Convert, GoesBetweenAllFloatingTypes) {
  const std::vector<float> values{0.0f, -1.5f, 3.25f, 1000.0f, -0.0f};
  for (const Dtype from : {Dtype::kF32, Dtype::kBf16, Dtype::kF16}) {
    for (const Dtype to : {Dtype::kF32, Dtype::kBf16, Dtype::kF16}) {
      std::vector<std::byte> a(values.size() * 4), b(values.size() * 4);
      std::vector<float> back(values.size());
      convert(values.data(), Dtype::kF32, a.data(), from, values.size());
      convert(a.data(), from, b.data(), to, values.size());
      convert(b.data(), to, back.data(), Dtype::kF32, values.size());
      EXPECT_EQ(back, values);
    }
  }
}

/// Whole vectors and what is left over, on every instruction set.
TEST(Convert, WidensEveryHalf) {
  std::vector<f16> halves;
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) halves.push_back({static_cast<std::uint16_t>(bits)});
  halves.resize(halves.size() + 13, f16{1});
  for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    const testing::WithoutBetterThan fewer(target);
    std::vector<float> wide(halves.size());
    convert(halves.data(), Dtype::kF16, wide.data(), Dtype::kF32, halves.size());
    for (std::size_t i = 0; i < halves.size(); ++i) {
      const float want = to_f32(halves[i]);
      const bool same = std::isnan(want)
                            ? std::isnan(wide[i])
                            : std::bit_cast<std::uint32_t>(wide[i]) == std::bit_cast<std::uint32_t>(want);
      ASSERT_TRUE(same) << hwy::TargetName(target) << " " << halves[i].bits << ": " << wide[i];
    }
  }
}

TEST(DtypeNames, GoBothWays) {
  for (const Dtype type : {Dtype::kF32, Dtype::kBf16, Dtype::kF16, Dtype::kI32}) {
    EXPECT_EQ(dtype_from_name(name_of(type)), type);
  }
  EXPECT_THROW(dtype_from_name("f8"), Error);
}

}  // namespace
}  // namespace trisect
