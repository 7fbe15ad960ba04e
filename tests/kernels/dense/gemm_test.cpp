#include "kernels/dense/gemm.hpp"

#include <gmock/gmock.h>

#include "kernels/dense/gemv.hpp"
#include "kernels/dense/onednn.hpp"
#include "tests/kernels/register.hpp"

namespace trisect::dense {
namespace {

[[maybe_unused]] const bool registered = (trisect::testing::register_tests<Gemm>(), true);

class GemmVariants : public ::testing::TestWithParam<std::tuple<Dtype, bool, bool, int>> {};

TEST_P(GemmVariants, TakeStridesBiasAndAccumulation) {
  const auto [dtype, with_bias, accumulate, m] = GetParam();
  const Gemm::Problem problem{m, 45, 37, dtype};
  const Buffer x(Dtype::kF32, m, 50), w(dtype, 45, 64), bias(Dtype::kF32, 1, 37);
  fill_normal(x.view(), 1, 1);
  fill_normal(w.view(), 2, 1);
  fill_normal(bias.view(), 3, 1);
  const auto run = [&](auto gemm, const Buffer& y) {
    fill_normal(y.view(), 4, 1);
    gemm(problem, {.x = x.view().columns(3, 45),
                   .w = w.view().columns(11, 37),
                   .bias = with_bias ? bias.view() : View(),
                   .y = y.view().columns(2, 37),
                   .accumulate = accumulate,
                   .prepared = {}});
  };
  const Buffer want(Dtype::kF32, m, 41), got(Dtype::kF32, m, 41);
  run(gemm_ref, want);
  for (const auto& variant : Gemm::variants()) {
    SCOPED_TRACE(variant.name);
    if (!variant.available(problem)) continue;
    run(
        [&](const Gemm::Problem& p, Gemm::Args args) {
          if (variant.prepare != nullptr) args.prepared = variant.prepare(p, args);
          variant.run(p, args);
        },
        got);
    const Check check = check_close(got.view(), want.view(), product_tolerance(dtype));
    EXPECT_EQ(check.status, CheckStatus::kPass) << check.detail;
    for (int r = 0; r < m; ++r) {  // the columns around y are as they were
      for (const int c : {0, 1, 39, 40}) EXPECT_EQ(got.view().row<float>(r)[c], want.view().row<float>(r)[c]);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, GemmVariants,
                         ::testing::Combine(::testing::Values(Dtype::kF32, Dtype::kBf16), ::testing::Bool(),
                                            ::testing::Bool(), ::testing::Values(7, 19)));

TEST(GemmRef, IsTheFormula) {
  const float x[] = {1, 2, 3, 4, 5, 6}, w[] = {1, 0, -1, 2, 1, 0.5f}, bias[] = {10, 20};
  float y[4] = {};
  gemm_ref({2, 3, 2, Dtype::kF32},
           {View::of(x, 2, 3), View::of(w, 3, 2), View::of(bias, 1, 2), View::of(y, 2, 2), false, nullptr});
  EXPECT_THAT(y, ::testing::ElementsAre(12, 25.5f, 15, 33));
}

TEST(Onednn, PackedWeightsServeAnyNumberOfRows) {
  if (const Availability yes = onednn_supports(Dtype::kBf16); !yes) GTEST_SKIP() << yes.why_not;
  const Buffer x(Dtype::kF32, 300, 96), w(Dtype::kBf16, 96, 80);
  const Buffer got(Dtype::kF32, 300, 80), want(Dtype::kF32, 300, 80);
  fill_normal(x.view(), 1, 1);
  fill_normal(w.view(), 2, 1);
  const std::shared_ptr<void> packed = onednn_pack(w.view(), 64);
  for (int m = 0; m <= 300; m += m < 4 ? 1 : 37) {
    const Gemm::Args args{x.view().rows_from(0, m),    w.view(), {},
                          want.view().rows_from(0, m), false,    nullptr};
    gemm_ref({m, 96, 80, Dtype::kBf16}, args);
    onednn_product_packed({args.x, args.w, {}, got.view().rows_from(0, m), false}, packed.get());
    const Check check = check_close(got.view().rows_from(0, m), args.y, product_tolerance(Dtype::kBf16));
    EXPECT_NE(check.status, CheckStatus::kFail) << m << ": " << check.detail;
  }
}

TEST(Onednn, ManyShapesInAnyOrder) {
  const Buffer x(Dtype::kF32, 600, 8), w(Dtype::kF32, 8, 8), y(Dtype::kF32, 600, 8);
  fill_normal(x.view(), 1, 1);
  for (int i = 0; i < 8; ++i) w.view().row<float>(i)[i] = 2;
  for (int pass = 0; pass < 2; ++pass) {  // more shapes than are kept compiled
    for (int m = 1; m <= 600; ++m) {
      onednn_product({x.view().rows_from(0, m), w.view(), {}, y.view().rows_from(0, m), false});
      ASSERT_EQ(y.view().row<float>(m - 1)[m % 8], 2 * x.view().row<float>(m - 1)[m % 8]) << m;
    }
  }
}

TEST(Onednn, RefusesOtherTypes) {
  const Buffer x(Dtype::kF32, 1, 8), w(Dtype::kI32, 8, 8), y(Dtype::kF32, 1, 8);
  EXPECT_THROW(onednn_pack(Buffer(Dtype::kF16, 8, 8).view(), 1), Error);
  EXPECT_THROW(onednn_product({x.view(), w.view(), {}, y.view(), false}), Error);
}

}  // namespace
}  // namespace trisect::dense
