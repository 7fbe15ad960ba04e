#include "kernels/dense/rope.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <complex>

#include "kernels/core/random.hpp"

namespace trisect::dense {
namespace {

using Kernel = decltype(rope_ref);
class Ropes : public ::testing::TestWithParam<Kernel*> {};
INSTANTIATE_TEST_SUITE_P(All, Ropes, ::testing::Values(rope_ref, rope_cpu));

TEST_P(Ropes, TurnPairsOfHalvesAndLeaveTheRest) {
  constexpr int kRows = 4, kHeads = 3, kHead = 80, kRotary = 32, kStride = 250;
  const Buffer x(Dtype::kF32, kRows, kStride), before(Dtype::kF32, kRows, kStride);
  fill_normal(x.view(), 1, 1);
  fill_normal(before.view(), 1, 1);
  std::int32_t position[kRows] = {0, 1, 17, 2047};
  const Buffer table = make_rope_table(2048, kRotary, 10000);
  GetParam()({kRows, kHeads, kHead, kRotary, 2048},
             {x.view().columns(0, kHeads * kHead), View::of(position, 1, kRows), table.view()});
  for (int r = 0; r < kRows; ++r) {
    const float *got = x.view().row<float>(r), *was = before.view().row<float>(r);
    for (int c = 0; c < kStride; ++c) {
      const int at = c % kHead;
      double want = was[c];
      if (c < kHeads * kHead && at < kRotary) {
        const int pair = at % (kRotary / 2), first = c - at + pair;
        const std::complex<double> both(was[first], was[first + kRotary / 2]);
        const auto turned = both * std::polar(1.0, position[r] * std::pow(10000.0, -2.0 * pair / kRotary));
        want = at < kRotary / 2 ? turned.real() : turned.imag();
      }
      ASSERT_NEAR(got[c], want, 1e-6) << "row " << r << " column " << c;
    }
  }
}

TEST_P(Ropes, MakeProductsDependOnTheDistanceOnly) {
  constexpr int kRotary = 32;
  const Buffer table = make_rope_table(64, kRotary, 10000);
  const auto product = [&](std::int32_t q_position, std::int32_t k_position) {
    const Buffer both(Dtype::kF32, 2, kRotary);
    fill_normal(both.view(), 3, 1);
    std::int32_t position[] = {q_position, k_position};
    GetParam()({2, 1, kRotary, kRotary, 64}, {both.view(), View::of(position, 1, 2), table.view()});
    double sum = 0;
    for (int i = 0; i < kRotary; ++i) sum += both.view().row<float>(0)[i] * both.view().row<float>(1)[i];
    return sum;
  };
  EXPECT_NEAR(product(5, 2), product(40, 37), 1e-5);
  EXPECT_GT(std::abs(product(5, 2) - product(5, 3)), 1e-3);
}

TEST(Rope, RefusesPositionsOutsideTheTable) {
  const Buffer x(Dtype::kF32, 2, 4), table = make_rope_table(8, 4, 10000);
  for (const std::int32_t bad : {-1, 8}) {
    std::int32_t position[] = {0, bad};
    EXPECT_THROW(rope_cpu({2, 1, 4, 4, 8}, {x.view(), View::of(position, 1, 2), table.view()}), Error);
  }
}

}  // namespace
}  // namespace trisect::dense
