// The tokenizer against a plain reference, as microbench times it.
#include "microbench/adaptivocab/tokenizer_ops.hpp"

#include "tests/kernels/machines.hpp"

namespace trisect::testing {
namespace {

using microbench::TokenizerOps;

[[maybe_unused]] const bool registered = (register_tests(static_cast<TokenizerOps*>(nullptr)), true);

TEST(Machines, AnyNumberOfThreadsAgrees) {
  expect_agreement_with_any_number_of_threads<>(static_cast<TokenizerOps*>(nullptr));
}

}  // namespace
}  // namespace trisect::testing
