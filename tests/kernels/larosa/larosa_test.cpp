// The generated tests of the whole family: see tests/kernels/register.hpp and tests/kernels/machines.hpp.
#include "kernels/larosa/ops.hpp"
#include "tests/kernels/machines.hpp"

namespace trisect::testing {
namespace {

[[maybe_unused]] const bool registered = (register_tests(static_cast<larosa::Ops*>(nullptr)), true);

TEST(Machines, EveryInstructionSetAgrees) {
  expect_agreement_on_every_instruction_set(static_cast<larosa::Ops*>(nullptr));
}
TEST(Machines, AnyNumberOfThreadsAgrees) {
  expect_agreement_with_any_number_of_threads<larosa::Rotate, larosa::SparseGemv, larosa::Layer>(
      static_cast<larosa::Ops*>(nullptr));
}

TEST(Machines, WithoutBf16InstructionsAnotherVariantRuns) {
  const larosa::SparseGemv::Problem problem{64, 64, 500, Dtype::kBf16};
  const WithoutBetterThan fewer(hwy::SupportedTargets() & -hwy::SupportedTargets());
  EXPECT_EQ(best_variant<larosa::SparseGemv>(problem).name, "cpu_fma");
}

}  // namespace
}  // namespace trisect::testing
