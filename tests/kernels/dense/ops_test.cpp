// The generated tests of the whole family: see tests/kernels/register.hpp and tests/kernels/machines.hpp.
#include "kernels/dense/ops.hpp"

#include "tests/kernels/machines.hpp"

namespace trisect::testing {
namespace {

[[maybe_unused]] const bool registered = (register_tests(static_cast<dense::Ops*>(nullptr)), true);

TEST(Machines, EveryInstructionSetAgrees) {
  expect_agreement_on_every_instruction_set(static_cast<dense::Ops*>(nullptr));
}
TEST(Machines, AnyNumberOfThreadsAgrees) {
  expect_agreement_with_any_number_of_threads<dense::Gemv, dense::Gemm>(static_cast<dense::Ops*>(nullptr));
}

}  // namespace
}  // namespace trisect::testing
