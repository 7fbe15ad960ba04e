#include "reports/generator/pareto.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/reports/samples.hpp"

namespace trisect::report {
namespace {

using testing::quiet_sweep;
using testing::sweep_point;

/// Online 1.5 times as fast as dense at half, merged with an adapter as well, without one twice.
class ParetoTest : public ::testing::Test {
 protected:
  ParetoTest() : results(testing::results_of(rows())), layers(layers_of(results)) {}

  static std::vector<Row> rows() {
    std::vector<Row> all = testing::block_rows(0, 800, 700, 500, 100);
    for (Row& row : testing::block_rows(500, 500, 300, 300, 200)) all.push_back(std::move(row));
    return all;
  }
  Results results;
  std::vector<Layer> layers;
};

TEST_F(ParetoTest, WhatRunsAtWhichSpeed) {
  EXPECT_EQ(way_of("online", "layer"), kOnline);
  EXPECT_EQ(way_of("online", "random"), kOnline);
  EXPECT_EQ(way_of("online", "none"), kMergedGlobal) << "nothing is rotated at run time";
  EXPECT_EQ(way_of("merged", "layer"), kMergedLayer);
  EXPECT_EQ(way_of("merged", "random"), kMergedGlobal) << "one matrix for all layers";
  EXPECT_EQ(way_of("merged", "global"), kMergedGlobal);
  EXPECT_EQ(way_of("naive", "global"), kNaive);
  EXPECT_FALSE(way_of("naive", "none"));
}

TEST_F(ParetoTest, TheFrontIsWhatNothingBeatsInBoth) {
  const auto pareto = pareto_of(
      quiet_sweep({sweep_point("online", "layer", 500, 11), sweep_point("merged", "global", 500, 11.5),
                   sweep_point("merged", "none", 500, 14), sweep_point("online", "layer", 0, 10),
                   sweep_point("online", "layer", 500, 11, true)}),
      layers);
  ASSERT_TRUE(pareto);
  ASSERT_EQ(pareto->points.size(), 3u) << "sparsity 0 and sparse prompts stay out";
  EXPECT_EQ(pareto->points[0].rotation, "layer");
  EXPECT_DOUBLE_EQ(pareto->points[0].speedup.centre, 1.5);
  EXPECT_DOUBLE_EQ(pareto->points[0].price, 1.1);
  EXPECT_TRUE(pareto->points[0].front);
  EXPECT_DOUBLE_EQ(pareto->points[1].speedup.centre, 2);
  EXPECT_TRUE(pareto->points[1].front);
  EXPECT_FALSE(pareto->points[2].front) << "as fast as merged global, and worse";
}

TEST_F(ParetoTest, SlowerThanDenseIsNotOnTheFront) {
  const auto pareto = pareto_of(quiet_sweep({sweep_point("online", "layer", 10, 10)}), layers);
  ASSERT_TRUE(pareto);
  EXPECT_LT(pareto->points[0].speedup.centre, 1);
  EXPECT_FALSE(pareto->points[0].front);
}

TEST_F(ParetoTest, CoefficientsSayWhereTheLayersAre) {
  SweepRun run =
      quiet_sweep({sweep_point("merged", "global", 400, 11), sweep_point("merged", "global", 450, 11)});
  run.coefficient_in = 0.75;
  run.coefficient_out = 1.25;
  const auto pareto = pareto_of(run, layers);
  ASSERT_TRUE(pareto);
  ASSERT_EQ(pareto->points.size(), 1u);
  EXPECT_DOUBLE_EQ(pareto->points[0].speedup.centre, 1200.0 / (700 - 400 * 0.6 + 300));
  EXPECT_EQ(pareto->beyond, 1) << "450 x 1.25 is beyond 500";
}

TEST_F(ParetoTest, NothingWithoutSpeedOrPrice) {
  EXPECT_FALSE(pareto_of(quiet_sweep({sweep_point("online", "layer", 500, 11)}), {}));
  EXPECT_FALSE(pareto_of(quiet_sweep({sweep_point("online", "layer", 500, std::nullopt)}), layers));
  SweepRun run = quiet_sweep({sweep_point("online", "layer", 500, 11)});
  run.dense_perplexity.reset();
  EXPECT_FALSE(pareto_of(run, layers));
}

TEST_F(ParetoTest, AnotherTypeStandsInForTheSweeps) {
  SweepRun run = quiet_sweep({sweep_point("online", "layer", 500, 11)});
  run.dtype = "f32";
  EXPECT_EQ(pareto_of(run, layers)->dtype, "bf16");
}

}  // namespace
}  // namespace trisect::report
