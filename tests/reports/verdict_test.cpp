#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reports/generator/sections.hpp"
#include "tests/reports/samples.hpp"

namespace trisect::report {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::layer_row;
using ::testing::Not;
using ::testing::StartsWith;

std::string verdict(const Results& results) { return verdict_of(results, layers_of(results)); }

std::vector<Row> layer(int out, double online_us, double naive_us) {
  return {layer_row("dense", 8, out, 500, 10), layer_row("online", 8, out, 500, online_us),
          layer_row("naive", 8, out, 500, naive_us)};
}

Results with_layers(double first_us, double second_us) {
  std::vector<Row> rows = layer(4, first_us, 30);
  for (Row& row : layer(16, second_us, 30)) rows.push_back(row);
  return testing::results_of(rows);
}

TEST(VerdictTest, CountsTheLayersThatPay) {
  EXPECT_THAT(verdict(with_layers(5, 4)),
              StartsWith("**LaRoSA pays for all linear layers on this CPU (CPU), in mode online.**"));
  EXPECT_THAT(verdict(with_layers(5, 15)), StartsWith("**LaRoSA pays for 1 of 2 linear layers"));
  EXPECT_THAT(verdict(with_layers(15, 15)),
              AllOf(StartsWith("**LaRoSA does not pay"), Not(HasSubstr("Break-even"))));
}

TEST(VerdictTest, AnAmbiguousSpeedUpDoesNotPay) {
  Results results = with_layers(15, 9);
  for (Row& row : results.runs[0].rows) {
    row.time_ns->q1 *= 0.8;
    row.time_ns->q3 *= 1.2;
  }
  EXPECT_THAT(verdict(results), StartsWith("**LaRoSA does not pay"));
}

TEST(VerdictTest, SaysWhatNaiveDoes) {
  EXPECT_THAT(verdict(with_layers(5, 4)), AllOf(HasSubstr("nowhere judged faster: at best 0.33×"),
                                                HasSubstr("quality was not measured here")));
}

TEST(VerdictTest, JudgesABlockOfPhi2InsteadOfItsLayers) {
  const std::string paying = verdict(testing::results_of(testing::block_rows(500, 500, 300, 300, 200)));
  EXPECT_THAT(paying,
              StartsWith("**LaRoSA pays for the linear layers of a phi-2 block (bf16) on this CPU (CPU): "
                         "online, merged layer and merged global.**"));
  EXPECT_THAT(paying, HasSubstr("at 50 % sparsity: online 1.50× (1.50–1.50) (faster), merged layer 1.50×"));
  EXPECT_THAT(paying, HasSubstr("merged global at most 50.0 %"));
  EXPECT_THAT(verdict(testing::results_of(testing::block_rows(500, 900, 700, 500))),
              StartsWith("**LaRoSA does not pay for the linear layers of a phi-2 block"));
}

TEST(VerdictTest, ASweepIsAPriceInQuality) {
  using testing::sweep_point;
  Results results = with_layers(5, 4);
  results.sweeps.push_back(testing::quiet_sweep(
      {sweep_point("online", "none", 500, 12), sweep_point("online", "layer", 500, 11),
       sweep_point("online", "random", 500, 13), sweep_point("online", "none", 700, 30)}));
  EXPECT_THAT(verdict(results), AllOf(HasSubstr("**On tiny at 50 % sparsity a calibrated rotation helps; a "
                                                "random one does not help, it makes it worse.**"),
                                      HasSubstr("dense 10.0"),
                                      HasSubstr("`none` 12.0, `layer` 11.0 (-8.3 %), `random` 13.0 (+8.3 %)"),
                                      Not(HasSubstr("not measured here"))));
  results.sweeps[0].points[1].perplexity = 12.05;
  EXPECT_THAT(verdict(results), HasSubstr("a calibrated rotation does not help: no difference;"));
  results.sweeps[0].points[1].perplexity = 12.5;
  EXPECT_THAT(verdict(results), HasSubstr("a calibrated rotation does not help, it makes it worse;"));
  results.sweeps[0].points.erase(results.sweeps[0].points.begin());
  EXPECT_THAT(verdict(results), Not(HasSubstr("On tiny"))) << "nothing to compare a rotation with";
}

TEST(VerdictTest, GenerationComesWithItsPrice) {
  Results results;
  results.comparisons.push_back(testing::quiet_compare());
  testing::stretch_decode(results.comparisons[0].sides[1], 0.5);
  results.comparisons[0].sides[1].quality->bits_per_character = 1.65;
  EXPECT_THAT(verdict(results),
              AllOf(StartsWith("Writing text with tiny"), HasSubstr("larosa 1.8"),
                    HasSubstr("peak memory +0.0 %"), HasSubstr("+10.0 % bits per character")));
  EXPECT_THAT(verdict(results), Not(HasSubstr("says nothing of quality")));
  results.comparisons[0].model.name = "synthetic:phi-2";
  EXPECT_THAT(verdict(results), HasSubstr("says nothing of quality"));
  results.comparisons[0].sides[1].generations.clear();
  EXPECT_THAT(verdict(results), HasSubstr("not finished, so not compared"));
}

TEST(VerdictTest, NothingMeasuredIsNoVerdict) {
  EXPECT_THAT(verdict(testing::results_of({})), HasSubstr("there is no verdict"));
  EXPECT_THAT(verdict(testing::results_of({layer_row("dense", 8, 4, 500, 10)})), Not(HasSubstr("pays for")));
}

TEST(GpuLineTest, OnlyAMeasurementOnAGpuSilencesIt) {
  Results results = testing::results_of({layer_row("dense", 8, 4, 0, 1)});
  std::string& gpu = results.runs[0].origin.environment.gpu;
  EXPECT_THAT(gpu_line(results), HasSubstr("No GPU was present"));
  gpu = "unknown";
  EXPECT_THAT(gpu_line(results), HasSubstr("is unknown"));
  gpu = "Example GPU";
  EXPECT_THAT(gpu_line(results), HasSubstr("(Example GPU) but not used"));
  results.runs[0].rows[0].device = "cuda";
  EXPECT_EQ(gpu_line(results), "");
}

}  // namespace
}  // namespace trisect::report
