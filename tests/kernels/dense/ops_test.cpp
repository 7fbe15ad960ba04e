// The generated tests of the whole family (see tests/kernels/register.hpp), and the same for every
// instruction set.
#include "kernels/dense/ops.hpp"

#include <hwy/highway.h>

#include "tests/kernels/register.hpp"

namespace trisect::testing {
namespace {

[[maybe_unused]] const bool registered = (register_tests(static_cast<dense::Ops*>(nullptr)), true);

template <OpContract Op>
void run_variants() {
  for (const auto& variant : Op::variants()) {
    if (!variant.name.starts_with("cpu_")) continue;  // the reference, and what oneDNN chooses for itself
    for (const auto& problem : Op::odd_problems()) {
      if (!variant.available(problem)) continue;
      SCOPED_TRACE(fmt::format("{} {} {}", Op::name, variant.name, describe<Op>(problem)));
      VariantTest<Op, std::remove_cvref_t<decltype(variant)>>(problem, variant).TestBody();
    }
  }
}

template <class... Op>
void run_variants(std::tuple<Op...>*) {
  (run_variants<Op>(), ...);
}

TEST(InstructionSets, EachAgreesWithTheReference) {
  for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    SCOPED_TRACE(hwy::TargetName(target));
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    run_variants(static_cast<dense::Ops*>(nullptr));
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

}  // namespace
}  // namespace trisect::testing
