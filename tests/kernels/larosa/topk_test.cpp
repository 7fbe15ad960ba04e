// Top-k where the generated tests say too little: ties, special values, and every variant against every other.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels/larosa/topk.hpp"

namespace trisect::larosa {
namespace {

struct Result {
  std::vector<std::int32_t> index;
  std::vector<float> value;
};

Result run(const Topk::Variant& variant, std::vector<float> x, int permille) {
  const int n = static_cast<int>(x.size()), k = kept(n, permille);
  // One canary behind each output.
  Result result{std::vector<std::int32_t>(static_cast<std::size_t>(k) + 1, -7),
                std::vector<float>(static_cast<std::size_t>(k) + 1, -7.0f)};
  variant.run({1, n, permille}, {View::of(x.data(), 1, n), View::of(result.index.data(), 1, k),
                                 View::of(result.value.data(), 1, k)});
  EXPECT_EQ(result.index.back(), -7);
  EXPECT_EQ(result.value.back(), -7.0f);
  result.index.pop_back();
  result.value.pop_back();
  return result;
}

class TopkVariants : public ::testing::TestWithParam<std::size_t> {
 protected:
  const Topk::Variant& variant() const { return Topk::variants()[GetParam()]; }
};

TEST_P(TopkVariants, TiesGoToTheLowerIndex) {
  const Result result = run(variant(), {1, -1, 2, 1, -2, 1, 1, 1}, 500);
  EXPECT_EQ(result.index, (std::vector<std::int32_t>{0, 1, 2, 4}));
  EXPECT_EQ(result.value, (std::vector<float>{1, -1, 2, -2}));
}

TEST_P(TopkVariants, NanIsLargestThenInfinity) {
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  EXPECT_EQ(run(variant(), {1, inf, 3, nan, -inf, 2, -nan, 0}, 750).index, (std::vector<std::int32_t>{3, 6}));
  EXPECT_EQ(run(variant(), {1, inf, 3, nan, -inf, 2, -nan, 0}, 500).index, (std::vector<std::int32_t>{1, 3, 4, 6}));
}

TEST_P(TopkVariants, DenormalsAreOrderedAndZerosTie) {
  const float tiny = std::numeric_limits<float>::denorm_min();
  EXPECT_EQ(run(variant(), {-0.0f, tiny, 2 * tiny, 0.0f}, 500).index, (std::vector<std::int32_t>{1, 2}));
  EXPECT_EQ(run(variant(), {-0.0f, 0.0f, 0.0f, -0.0f}, 500).index, (std::vector<std::int32_t>{0, 1}));
}

TEST_P(TopkVariants, EqualsTheReferenceOnTiesAndSpecialValues) {
  for (const Fill fill : {Fill::kTies, Fill::kSpecial, Fill::kZero}) {
    for (const int n : {1, 3, 16, 31, 64, 65, 100, 257, 1024, 2561, 10240}) {
      for (const int permille : {0, 100, 400, 500, 600, 950, 1000}) {
        Arena arena(static_cast<Seed>(n) * 7 + static_cast<Seed>(permille));
        const View x = arena.input(Dtype::kF32, 1, n, fill);
        const std::vector<float> values(x.row<float>(), x.row<float>() + n);
        const Result got = run(variant(), values, permille), want = run(Topk::variants()[0], values, permille);
        ASSERT_EQ(got.index, want.index) << "n " << n << ", permille " << permille;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, TopkVariants, ::testing::Range<std::size_t>(0, Topk::variants().size()),
                         [](const auto& param) { return std::string(Topk::variants()[param.param].name); });

TEST(Kept, CountsInIntegers) {
  EXPECT_EQ(kept(2560, 600), 1024);
  EXPECT_EQ(kept(2560, 480), 1332);
  EXPECT_EQ(kept(10240, 500), 5120);
  EXPECT_EQ(kept(1, 999), 1);
  EXPECT_EQ(kept(7, 1000), 0);
  EXPECT_THROW(kept(7, 1001), Error);
  EXPECT_THROW(kept(7, -1), Error);
}

}  // namespace
}  // namespace trisect::larosa
