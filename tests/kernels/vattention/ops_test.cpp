// The generated tests of the whole family: see tests/kernels/register.hpp and tests/kernels/machines.hpp.
#include "kernels/vattention/ops.hpp"

#include <cmath>
#include <limits>

#include "tests/kernels/machines.hpp"

namespace trisect::testing {
namespace {

[[maybe_unused]] const bool registered = (register_tests(static_cast<vattention::Ops*>(nullptr)), true);

TEST(Machines, EveryInstructionSetAgrees) {
  expect_agreement_on_every_instruction_set(static_cast<vattention::Ops*>(nullptr));
}
TEST(Machines, AnyNumberOfThreadsAgrees) {
  expect_agreement_with_any_number_of_threads<>(static_cast<vattention::Ops*>(nullptr));
}

}  // namespace
}  // namespace trisect::testing

namespace trisect::vattention {
namespace {

TEST(Append, RoundsSpecialValuesAsTheReferenceDoes) {
  std::vector<float> special;
  for (const float value : {0.0f, -0.0f, 1.0f, 1.00390625f, 1.01171875f, 3.4e38f, 1e-45f, 65519.0f, 65520.0f,
                            INFINITY, -INFINITY, std::numeric_limits<float>::quiet_NaN(), -2.5e-8f}) {
    for (int i = 0; i < 3; ++i) special.push_back(value);
  }
  const int n = static_cast<int>(special.size());
  std::int32_t zero[] = {0};
  for (const Dtype type : {Dtype::kBf16, Dtype::kF16, Dtype::kF32}) {
    const Buffer want_k(type, 1, n), want_v(type, 1, n);
    for (const auto& variant : Append::variants()) {
      const Append::Problem problem{1, 1, 1, 1, n, type};
      if (variant.device != Device::kCpu || !variant.available(problem)) continue;
      const Buffer k(type, 1, n), v(type, 1, n);
      const bool is_ref = variant.name == "ref";
      const View to_k = is_ref ? want_k.view() : k.view(), to_v = is_ref ? want_v.view() : v.view();
      const View from = View::of(special.data(), 1, n), at = View::of(zero, 1, 1);
      variant.run(problem,
                  {from, from, at, at, {to_k.byte_row(0), to_v.byte_row(0), 0, 0, type}, to_k, to_v});
      EXPECT_EQ(check_equal(to_k, want_k.view()).status, CheckStatus::kPass)
          << variant.name << " " << name_of(type);
      EXPECT_EQ(check_equal(to_v, want_v.view()).status, CheckStatus::kPass)
          << variant.name << " " << name_of(type);
    }
  }
}

TEST(DecodeAttention, DeclaresItsCost) {
  const Cost cost = DecodeAttention::cost({2, 100, 8, 4, 80, Dtype::kBf16});  // 100 and 75 keys
  EXPECT_EQ(cost.flops, 4 * 175 * 320);
  EXPECT_EQ(cost.bytes_read, 2 * 175 * 320 * 2 + 2 * 4 * (320 + 2));
}

}  // namespace
}  // namespace trisect::vattention
