// A step explained by its stages and its kernels, or not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reports/generator/sections.hpp"
#include "tests/reports/samples.hpp"

namespace trisect::report {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

/// Two layers of 64 with an intermediate of 256: stages of 500 us, 300 us and 100 us a step.
CompareRun step() {
  CompareRun run = testing::quiet_compare();
  for (Side& side : run.sides) {
    side.variants = {{"dense/gemv", "fast"}};
    testing::set_stages(
        side, {{"in_product", 0.015}, {"out_product", 0.009}, {"head", 0.003}, {"attention", 0.003}});
  }
  return run;
}

Results kernels(double in_us, double out_us, double head_us) {
  const auto gemv = [](int in, int out, double us) {
    return testing::row("dense/gemv", "fast", {{"in", in}, {"out", out}}, us);
  };
  return testing::results_of({gemv(64, 448, in_us), gemv(320, 64, out_us), gemv(64, 100, head_us),
                              testing::row("dense/gemv", "slow", {{"in", 64}, {"out", 448}}, 1e6)});
}

TEST(BudgetTest, ClosesWhereKernelsExplainTheStages) {
  const CompareRun run = step();
  EXPECT_THAT(budget_section(run, kernels(250, 150, 100)),
              AllOf(HasSubstr("100.0 %"), HasSubstr("900 µs of 900 µs"), HasSubstr("closes to within 10 %"),
                    HasSubstr("took 100 µs more of 1.00 ms"), Not(HasSubstr("NOT"))));
  EXPECT_THAT(budget_section(run, kernels(350, 150, 100)), HasSubstr("does NOT close"));
  EXPECT_THAT(budget_section(run, kernels(150, 150, 100)), HasSubstr("does NOT close"));
}

TEST(BudgetTest, KernelsAreScaledToTheBandwidthOfTheRun) {
  CompareRun run = step();
  run.mean_probe_gbps = 5;  // of 10 beside the kernels
  EXPECT_THAT(budget_section(run, kernels(125, 75, 50)), HasSubstr("900 µs of 900 µs"));
}

TEST(BudgetTest, SaysWhatIsMissing) {
  CompareRun run = step();
  EXPECT_THAT(budget_section(run, Results{}), HasSubstr("not among the microbenchmarks"));
  for (Side& side : run.sides)
    testing::set_stage(side, "head", 0.001);  // now 67 us of a step are in no stage
  EXPECT_THAT(budget_section(run, Results{}), HasSubstr("93.3 %"));
  for (Side& side : run.sides) testing::set_stages(side, {});
  EXPECT_EQ(budget_section(run, Results{}), "");
}

}  // namespace
}  // namespace trisect::report
