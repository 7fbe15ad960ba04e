#include "reports/generator/roofline.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/reports/samples.hpp"

namespace trisect::report {
namespace {

Row computing(const std::string& variant, double time_us, int in) {
  Row row = testing::row("dense/gemv", variant, {{"in", in}}, time_us);
  row.bytes = 100e3;
  row.flops = 200e3;
  return row;
}

TEST(RooflineTest, TheFastestVariantOfEachProblem) {
  MicrobenchRun run =
      testing::quiet_run({computing("slow", 20, 8), computing("fast", 10, 8), computing("fast", 40, 16),
                          testing::layer_row("dense", 8, 4, 500, 10)});
  run.rows.back().bytes = run.rows.back().flops = 1e3;
  run.groups = {{"a", 8.0, 12.0}, {"b", {}, 9.0}};
  const auto roofline = roofline_of(run);
  ASSERT_TRUE(roofline);
  ASSERT_EQ(roofline->points.size(), 2u) << "modes of a layer declare another's work";
  EXPECT_EQ(roofline->points[0].row->variant, "fast");
  EXPECT_DOUBLE_EQ(roofline->points[0].intensity, 2);
  EXPECT_DOUBLE_EQ(roofline->points[0].gflops, 20);
  EXPECT_DOUBLE_EQ(roofline->low_gbps, 8);
  EXPECT_DOUBLE_EQ(roofline->high_gbps, 12);
}

TEST(RooflineTest, NothingWithoutAProbeOrWork) {
  MicrobenchRun run = testing::quiet_run({computing("fast", 10, 8)});
  EXPECT_TRUE(roofline_of(run));
  run.groups.clear();
  run.probe_gbps.reset();
  EXPECT_FALSE(roofline_of(run));
  run = testing::quiet_run({computing("fast", 10, 8)});
  run.rows[0].flops = 0;
  EXPECT_FALSE(roofline_of(run)) << "a copy computes nothing";
  run.rows[0] = computing("cuda_fast", 10, 8);
  run.rows[0].device = "cuda";
  EXPECT_FALSE(roofline_of(run)) << "the probe is of the CPU's memory";
}

}  // namespace
}  // namespace trisect::report
