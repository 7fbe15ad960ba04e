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

TEST(LayersTest, KnowsABlockOfPhi2) {
  const Row in = layer_row("dense", 2560, 17920, 0, 1), out = layer_row("dense", 12800, 2560, 0, 1, false);
  const auto is_block = [](std::vector<Row> rows) {
    return is_phi2_block(layers_of(results_of(std::move(rows))), "bf16");
  };
  EXPECT_TRUE(is_block({out, in}));
  EXPECT_FALSE(is_block({in}));
  EXPECT_FALSE(is_block({in, layer_row("dense", 12800, 2560, 0, 1)}));
  EXPECT_FALSE(is_block({in, out, layer_row("dense", 2560, 2560, 0, 1)}));
}

TEST(LayersTest, SeveralRowsOfActivationsAreAnotherProblem) {
  Row batch = testing::row("larosa/layer", "dense",
                           {{"rows", 4}, {"in", 8}, {"out", 4}, {"sparsity_permille", 0}}, 9);
  EXPECT_TRUE(layers_of(results_of({batch})).empty());
}

TEST(LayersTest, BreakEvenInWords) {
  const auto text = [](double at_zero, double at_half) {
    const Results results =
        results_of({layer_row("dense", 8, 4, 0, 10), layer_row("online", 8, 4, 0, at_zero),
                    layer_row("dense", 8, 4, 500, 10), layer_row("online", 8, 4, 500, at_half)});
    return break_even_text(layers_of(results)[0], kOnline);
  };
  EXPECT_EQ(text(15, 5), "25.0 %");
  EXPECT_EQ(text(9, 5), "at most 0.0 %");
  EXPECT_EQ(text(15, 11), "not up to 50 %");
  const Results dense_only = results_of({layer_row("dense", 8, 4, 0, 10)});
  EXPECT_EQ(break_even_text(layers_of(dense_only)[0], kOnline), "–");
}

TEST(LayersTest, BreakEvenSaysHowSureItIs) {
  Results results = results_of({layer_row("dense", 8, 4, 0, 10), layer_row("online", 8, 4, 0, 15),
                                layer_row("dense", 8, 4, 500, 10), layer_row("online", 8, 4, 500, 5)});
  results.runs[0].rows[3].time_ns->q3 = 11e3;
  results.runs[0].rows[3].time_ns->q1 = 5e3;
  EXPECT_EQ(break_even_text(layers_of(results)[0], kOnline), "25.0 % (quartiles: 25.0 % to not up to 50 %)");
}

TEST(LayersTest, TotalsNeedEveryLayer) {
  std::vector<Row> rows = {layer_row("dense", 8, 4, 0, 10),   layer_row("online", 8, 4, 0, 20),
                           layer_row("dense", 8, 8, 0, 30),   layer_row("online", 8, 8, 0, 20),
                           layer_row("dense", 8, 4, 500, 10), layer_row("online", 8, 4, 500, 5)};
  const Results results = results_of(rows);
  const auto layers = layers_of(results);
  const auto totals = totals_of(layers, "bf16", kOnline);
  ASSERT_EQ(totals.size(), 1u);
  EXPECT_EQ(totals[0].sparsity_permille, 0);
  EXPECT_DOUBLE_EQ(totals[0].dense.median, 40e3);
  EXPECT_DOUBLE_EQ(totals[0].candidate.median, 40e3);
  EXPECT_EQ(totals[0].change.verdict, Verdict::kSame);
  EXPECT_TRUE(totals_of(layers, "f32", kOnline).empty());
}

TEST(LayersTest, OverheadIsEverythingButTheProduct) {
  Row sample = layer_row("naive", 8, 4, 0, 10);
  for (const char* stage : {"rotate", "topk", "scatter", "unrotate", "product"})
    sample.stage_ns[stage] = testing::exactly(7);
  EXPECT_DOUBLE_EQ(overhead_ns(sample), 28);
  EXPECT_DOUBLE_EQ(stage_ns(sample, "nothing_like_it"), 0);
}

}  // namespace
}  // namespace trisect::report
