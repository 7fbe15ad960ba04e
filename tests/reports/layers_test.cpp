#include "reports/generator/layers.hpp"

#include <gtest/gtest.h>

#include "tests/reports/samples.hpp"

namespace trisect::report {
namespace {

using testing::layer_row;
using testing::results_of;

TEST(LayersTest, PutsModesOfOneShapeTogether) {
  const Results results = results_of({layer_row("dense", 8, 4, 500, 10), layer_row("online", 8, 4, 500, 5),
                                      layer_row("naive", 8, 4, 500, 20), layer_row("dense", 8, 4, 0, 10),
                                      layer_row("ref", 8, 4, 0, 1), layer_row("dense", 4, 4, 0, 1)});
  const auto layers = layers_of(results);
  ASSERT_EQ(layers.size(), 2u);
  EXPECT_EQ(layers[0].name(), "4→4 rotated bf16");
  ASSERT_EQ(layers[1].points.size(), 2u);
  EXPECT_EQ(layers[1].points[0].sparsity_permille, 0);
  EXPECT_TRUE(layers[1].points[0].modes.empty());
  const LayerPoint& half = layers[1].points[1];
  EXPECT_DOUBLE_EQ(half.change_of(kOnline)->ratio.centre, 2);
  EXPECT_DOUBLE_EQ(half.change_of(kNaive)->ratio.centre, 0.5);
  EXPECT_FALSE(layers[1].points[0].change_of(kOnline));
}

TEST(LayersTest, RowsWithoutTimeAndOtherRunsAreNoMatch) {
  Row failed = layer_row("online", 8, 4, 500, 5);
  failed.time_ns.reset();
  failed.status = "fail";
  Results results = results_of({layer_row("dense", 8, 4, 500, 10), failed});
  EXPECT_FALSE(layers_of(results)[0].points[0].change_of(kOnline));

  results.runs.push_back(testing::quiet_run({layer_row("online", 8, 4, 500, 5)}));
  results.runs[1].rows[0].run = 1;
  EXPECT_FALSE(layers_of(results)[0].points[0].change_of(kOnline))
      << "times of two runs were not taken interleaved";
}

TEST(LayersTest, ALayerThatIsNotRotatedIsAnotherLayer) {
  const Results results =
      results_of({layer_row("dense", 8, 4, 500, 10, false), layer_row("online", 8, 4, 500, 5, false),
                  layer_row("dense", 8, 4, 500, 10), layer_row("online", 8, 4, 500, 20)});
  const auto layers = layers_of(results);
  ASSERT_EQ(layers.size(), 2u);
  EXPECT_EQ(layers[0].name(), "8→4 rotated bf16");
  EXPECT_DOUBLE_EQ(layers[0].points[0].change_of(kOnline)->ratio.centre, 0.5);
  EXPECT_EQ(layers[1].name(), "8→4 unrotated bf16");
  EXPECT_DOUBLE_EQ(layers[1].points[0].change_of(kOnline)->ratio.centre, 2);
}

TEST(LayersTest, FilesWithoutTheFieldHaveRotatedLayers) {
  Row old = testing::row("larosa/layer", "dense", {{"in", 8}, {"out", 4}, {"sparsity_permille", 0}}, 9);
  EXPECT_TRUE(layers_of(results_of({old})).at(0).rotated);
}

TEST(LayersTest, SeveralRowsOfActivationsAreAnotherProblem) {
  Row batch = testing::row("larosa/layer", "dense",
                           {{"rows", 4}, {"in", 8}, {"out", 4}, {"sparsity_permille", 0}}, 9);
  EXPECT_TRUE(layers_of(results_of({batch})).empty());
}

}  // namespace
}  // namespace trisect::report
