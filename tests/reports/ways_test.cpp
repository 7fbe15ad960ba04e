#include "reports/generator/ways.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/reports/samples.hpp"

namespace trisect::report {
namespace {

using ::testing::ElementsAre;
using testing::layer_row;
using testing::results_of;

Results with_points(std::vector<std::vector<Row>> parts) {
  std::vector<Row> rows;
  for (auto& part : parts) rows.insert(rows.end(), part.begin(), part.end());
  return results_of(std::move(rows));
}

Work layer_work(const Results& results) { return work_of(layers_of(results).at(0)); }

TEST(WaysTest, ALayerReadsWhatItKeepsAndItsRotation) {
  const Results results =
      results_of({layer_row("dense", 8, 4, 500, 10), layer_row("naive", 8, 4, 500, 20),
                  layer_row("online", 8, 4, 500, 5), layer_row("dense", 16, 4, 250, 10, false),
                  layer_row("naive", 16, 4, 250, 10, false), layer_row("online", 16, 4, 250, 8, false)});
  const auto layers = layers_of(results);
  const Work rotated = work_of(layers.at(0)), unrotated = work_of(layers.at(1));
  EXPECT_THAT(rotated.ways, ElementsAre("naive", "online"));
  EXPECT_DOUBLE_EQ(rotated.find(500, kNaive)->weight_bytes, 2 * (8 * 4 + 2 * 8 * 8));
  EXPECT_DOUBLE_EQ(rotated.find(500, kOnline)->weight_bytes, 2 * (8 * 4 / 2 + 8 * 8));
  EXPECT_DOUBLE_EQ(rotated.find(500, kOnline)->faster().ratio.centre, 2);
  EXPECT_DOUBLE_EQ(unrotated.find(250, kNaive)->ceiling(), 1);
  EXPECT_DOUBLE_EQ(unrotated.find(250, kOnline)->ceiling(), 1 / 0.75);
  EXPECT_EQ(unrotated.find(250, kMergedGlobal), nullptr);
}

TEST(WaysTest, KnowsABlockOfPhi2) {
  const Row in = layer_row("dense", 2560, 17920, 0, 1), out = layer_row("dense", 12800, 2560, 0, 1, false),
            merged = layer_row("dense", 2560, 17920, 0, 1, false);
  const auto is_block = [](std::vector<Row> rows) {
    const Results results = results_of(std::move(rows));
    const auto layers = layers_of(results);
    return block_of(layers, "bf16").has_value();
  };
  EXPECT_TRUE(is_block({out, in}));
  EXPECT_TRUE(is_block({out, in, merged}));
  EXPECT_FALSE(is_block({out, merged}));
  EXPECT_FALSE(is_block({in}));
  EXPECT_FALSE(is_block({in, layer_row("dense", 12800, 2560, 0, 1)}));
  EXPECT_FALSE(is_block({in, out, layer_row("dense", 2560, 2560, 0, 1)}));
}

TEST(WaysTest, ABlockAddsItsLayersUp) {
  const Results results = with_points({testing::block_rows(500, 500, 400, 300, 100)});
  const auto layers = layers_of(results);
  const Work work = work_of(*block_of(layers, "bf16"));
  EXPECT_THAT(work.ways, ElementsAre("online", "merged layer", "merged global"));
  EXPECT_DOUBLE_EQ(work.find(500, kOnline)->time_ns.median, 800e3);
  EXPECT_DOUBLE_EQ(work.find(500, kMergedGlobal)->time_ns.median, 700e3);
  const Way& adapted = *work.find(500, kMergedLayer);
  EXPECT_DOUBLE_EQ(adapted.time_ns.median, 800e3);
  EXPECT_DOUBLE_EQ(adapted.stage_ns.at(kAdapterStage), 100e3);
  EXPECT_DOUBLE_EQ(adapted.stage_ns.at(kProductStage), 700e3);
  EXPECT_DOUBLE_EQ(adapted.dense_ns.median, 1200e3);
  const double weights = 2.0 * (2560.0 * 17920 + 12800.0 * 2560), rotation = 2.0 * 2560 * 2560;
  EXPECT_DOUBLE_EQ(adapted.weight_bytes, weights / 2 + rotation);
  EXPECT_DOUBLE_EQ(work.find(500, kMergedGlobal)->ceiling(), 2);
  EXPECT_DOUBLE_EQ(work.find(500, kOnline)->weight_bytes, adapted.weight_bytes);
}

TEST(WaysTest, TheAdapterIsBroughtOverAsAShareOfDense) {
  std::vector<Row> rows = testing::block_rows(500, 500, 400, 300, 100);
  rows[2].time_ns = testing::exactly(1400e3);  // dense beside the unrotated layer, in a slow moment
  const Results results = results_of(rows);
  const auto layers = layers_of(results);
  const auto work = work_of(*block_of(layers, "bf16"));
  const Way& adapted = *work.find(500, kMergedLayer);
  EXPECT_DOUBLE_EQ(adapted.stage_ns.at(kAdapterStage), 200e3);
  EXPECT_DOUBLE_EQ(adapted.dense_ns.median, 1900e3);
  EXPECT_DOUBLE_EQ(adapted.time_ns.median, 900e3);
}

TEST(WaysTest, WithoutTheUnrotatedLayerNothingIsMerged) {
  std::vector<Row> rows = testing::block_rows(500, 500, 400, 300);
  rows.erase(rows.begin() + 2, rows.begin() + 4);
  const Results results = results_of(rows);
  const auto layers = layers_of(results);
  EXPECT_THAT(work_of(*block_of(layers, "bf16")).ways, ElementsAre("online"));
}

TEST(WaysTest, WithoutTheRotationsTimeThereIsNoAdapter) {
  std::vector<Row> rows = testing::block_rows(500, 500, 400, 300);
  rows[1].stage_ns.clear();
  const Results results = results_of(rows);
  const auto layers = layers_of(results);
  EXPECT_THAT(work_of(*block_of(layers, "bf16")).ways, ElementsAre("online", "merged global"));
}

TEST(WaysTest, ABlockNeedsEveryLayerAtTheSparsity) {
  std::vector<Row> in = testing::block_rows(250, 600, 500, 400);
  in.resize(4);
  const Results results = with_points({testing::block_rows(0, 800, 700, 500), in});
  const auto layers = layers_of(results);
  const Work work = work_of(*block_of(layers, "bf16"));
  EXPECT_NE(work.find(0, kOnline), nullptr);
  EXPECT_EQ(work.find(250, kOnline), nullptr);
}

TEST(WaysTest, BetweenSparsitiesTimesAreInterpolatedAndBeyondThereIsNothing) {
  const Results results =
      with_points({testing::block_rows(0, 800, 700, 500, 100), testing::block_rows(500, 400, 300, 200, 120)});
  const auto layers = layers_of(results);
  const Block block = *block_of(layers, "bf16");
  const Way way = *block_way(block, kOnline, 250, 400);
  EXPECT_DOUBLE_EQ(way.time_ns.median, 600e3 + 260e3);
  EXPECT_DOUBLE_EQ(way.dense_ns.median, 1200e3);
  EXPECT_DOUBLE_EQ(block_way(block, kMergedLayer, 250, 400)->time_ns.median, 500e3 + 110e3 + 260e3);
  EXPECT_DOUBLE_EQ(block_way(block, kMergedGlobal, 500, 0)->time_ns.median, 300e3 + 500e3);
  EXPECT_FALSE(block_way(block, kOnline, 501, 0));
  EXPECT_FALSE(block_way(block, kOnline, 0, 501));
  EXPECT_FALSE(block_way(block, kNaive, 0, 0)) << "naive was not measured";
}

TEST(WaysTest, BreakEvenInWords) {
  const auto text = [](double at_zero, double at_half) {
    return break_even_text(
        layer_work(results_of({layer_row("dense", 8, 4, 0, 10), layer_row("online", 8, 4, 0, at_zero),
                               layer_row("dense", 8, 4, 500, 10), layer_row("online", 8, 4, 500, at_half)})),
        kOnline);
  };
  EXPECT_EQ(text(15, 5), "25.0 %");
  EXPECT_EQ(text(9, 5), "at most 0.0 %");
  EXPECT_EQ(text(15, 11), "not up to 50 %");
  EXPECT_EQ(break_even_text(layer_work(results_of({layer_row("dense", 8, 4, 0, 10)})), kOnline), "–");
}

TEST(WaysTest, BreakEvenSaysHowSureItIs) {
  Results results = results_of({layer_row("dense", 8, 4, 0, 10), layer_row("online", 8, 4, 0, 15),
                                layer_row("dense", 8, 4, 500, 10), layer_row("online", 8, 4, 500, 5)});
  results.runs[0].rows[3].time_ns->q3 = 11e3;
  results.runs[0].rows[3].time_ns->q1 = 5e3;
  EXPECT_EQ(break_even_text(layer_work(results), kOnline), "25.0 % (quartiles: 25.0 % to not up to 50 %)");
}

TEST(WaysTest, BreakEvenOfTheBytesIsTheRotationsShare) {
  const Results results = results_of({layer_row("dense", 8, 32, 0, 10), layer_row("online", 8, 32, 0, 15),
                                      layer_row("naive", 8, 32, 0, 15), layer_row("dense", 8, 32, 500, 10),
                                      layer_row("online", 8, 32, 500, 9)});
  EXPECT_EQ(break_even_model(layer_work(results), kOnline), "25.0 %") << "8 x 8 of 8 x 32";
  EXPECT_EQ(break_even_model(layer_work(results), kNaive), "not up to 0 %");
}

TEST(WaysTest, TheBestSpeedUpAndWhetherAnyIsSure) {
  Results results = results_of({layer_row("dense", 8, 4, 0, 10), layer_row("online", 8, 4, 0, 9),
                                layer_row("dense", 8, 4, 500, 10), layer_row("online", 8, 4, 500, 5)});
  Summary& unsure = *results.runs[0].rows[3].time_ns;
  unsure.q1 = 1e3;
  unsure.q3 = 20e3;
  const auto best = best_of(layer_work(results), kOnline);
  EXPECT_DOUBLE_EQ(best->ratio.centre, 2);
  EXPECT_TRUE(best->ever_faster) << "at sparsity 0";
  EXPECT_FALSE(best_of(layer_work(results), kNaive));
}

}  // namespace
}  // namespace trisect::report
