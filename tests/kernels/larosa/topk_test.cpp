// Top-k where the generated tests say too little: ties, special values, and every variant against every other.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/larosa/topk.hpp"
#include "tests/kernels/on_device.hpp"

namespace trisect::larosa {
namespace {

struct Result {
  std::vector<std::int32_t> index;
  std::vector<float> value;
};

/// Runs on `rows` rows that follow each other in x, from device memory where the variant wants it.
Result run(const Topk::Variant& variant, std::vector<float> x, int permille, int rows = 1) {
  const int n = static_cast<int>(x.size()) / rows, k = kept(n, permille);
  const auto kept_in_all = static_cast<std::size_t>(rows) * static_cast<std::size_t>(k);
  // One canary behind each output.
  Result result{std::vector<std::int32_t>(kept_in_all + 1, -7), std::vector<float>(kept_in_all + 1, -7.0f)};
  const testing::OnDevice on_x(variant.device, x);
  const testing::OnDevice on_index(variant.device, result.index);
  const testing::OnDevice on_value(variant.device, result.value);
  variant.run({rows, n, permille},
              {View::of(on_x.get(), rows, n), View::of(on_index.get(), rows, k), View::of(on_value.get(), rows, k)});
  on_index.fetch(result.index);
  on_value.fetch(result.value);
  EXPECT_EQ(result.index.back(), -7);
  EXPECT_EQ(result.value.back(), -7.0f);
  result.index.pop_back();
  result.value.pop_back();
  return result;
}

class TopkVariants : public ::testing::TestWithParam<std::size_t> {
 protected:
  void SetUp() override {
    if (const Availability yes = variant().available({1, 1, 0}); !yes) GTEST_SKIP() << yes.why_not;
  }
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
        // A sample on an emulated device: every pair of two of the three still occurs.
        if (variant().device == Device::kCuda && (n + permille / 100 + static_cast<int>(fill)) % 3 != 0) continue;
        Arena arena(static_cast<Seed>(n) * 7 + static_cast<Seed>(permille));
        const View x = arena.input(Dtype::kF32, 1, n, fill);
        const std::vector<float> values(x.row<float>(), x.row<float>() + n);
        const Result got = run(variant(), values, permille), want = run(Topk::variants()[0], values, permille);
        ASSERT_EQ(got.index, want.index) << "n " << n << ", permille " << permille;
      }
    }
  }
}

// k = 0, 1, n - 1 and n as far as whole permilles reach them, all equal, many ties, special values, one row and many:
// every pair of these with a size.
TEST_P(TopkVariants, EqualsTheReferenceAtTheEdges) {
  const auto dropping = [](int count, int n) { return std::min((1000 * count + n - 1) / n, count < n ? 999 : 1000); };
  int number = 0;
  for (const int n : {1, 31, 33, 2560, 10240, 16384}) {
    for (const int permille : {0, dropping(1, n), 500, dropping(n - 1, n), 1000}) {
      for (const Fill fill : {Fill::kNormal, Fill::kTies, Fill::kSpecial, Fill::kZero}) {
        const int rows = std::array{1, 2, 7, 64}[static_cast<std::size_t>(number++ % (n > 2560 ? 2 : 4))];
        // The sorts of libraries are slow on an emulated device, and not ours to test at every size.
        if (variant().device == Device::kCuda && variant().name != "cuda_radix" && number % 4 != 0) continue;
        Arena arena(static_cast<Seed>(number));
        const View x = arena.input(Dtype::kF32, rows, n, fill);
        const std::vector<float> values(x.row<float>(), x.row<float>() + rows * n);
        const Result got = run(variant(), values, permille, rows);
        const Result want = run(Topk::variants()[0], values, permille, rows);
        ASSERT_EQ(got.index, want.index) << "n " << n << ", permille " << permille << ", rows " << rows;
        ASSERT_EQ(std::memcmp(got.value.data(), want.value.data(), 4 * want.value.size()), 0);
      }
    }
  }
}

std::string instance_name(const ::testing::TestParamInfo<std::size_t>& info) {
  return std::string(Topk::variants()[info.param].name);
}
std::vector<std::size_t> numbers_of(Device device) {
  std::vector<std::size_t> numbers;
  for (std::size_t i = 0; i < Topk::variants().size(); ++i) {
    if (Topk::variants()[i].device == device) numbers.push_back(i);
  }
  return numbers;
}
INSTANTIATE_TEST_SUITE_P(All, TopkVariants, ::testing::ValuesIn(numbers_of(Device::kCpu)), instance_name);
INSTANTIATE_TEST_SUITE_P(Cuda, TopkVariants, ::testing::ValuesIn(numbers_of(Device::kCuda)), instance_name);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(TopkVariants);

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
