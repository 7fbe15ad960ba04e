// The generated tests of the whole family: see tests/kernels/register.hpp and tests/kernels/machines.hpp.
#include "kernels/adaptivocab/ops.hpp"

#include "tests/kernels/machines.hpp"

namespace trisect::testing {
namespace {

using namespace adaptivocab;

// Head is dense/gemv, tested under that name.
using Tested = std::tuple<NgramCount, NgramSelect, PatchEncode, PatchDecode, EmbeddingInit>;

[[maybe_unused]] const bool registered = (register_tests(static_cast<Tested*>(nullptr)), true);

TEST(Machines, AnyNumberOfThreadsAgrees) {
  expect_agreement_with_any_number_of_threads<>(static_cast<Tested*>(nullptr));
}

}  // namespace
}  // namespace trisect::testing
