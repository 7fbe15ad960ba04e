#include "reports/generator/curves.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/reports/samples.hpp"

namespace trisect::report {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::quiet_sweep;
using testing::sweep_point;

TEST(CurvesTest, OneForEachModeRotationAndPrefill) {
  const SweepRun run =
      quiet_sweep({sweep_point("merged", "none", 500, 12, true), sweep_point("merged", "none", 500, 12),
                   sweep_point("merged", "layer", 500, 11), sweep_point("online", "random", 500, 13),
                   sweep_point("online", "random", 0, 10)});
  const auto curves = curves_of(run);
  ASSERT_EQ(curves.size(), 4u);
  EXPECT_EQ(curves[0].mode, "online");
  EXPECT_EQ(curves[0].at.begin()->first, 0) << "ascending";
  EXPECT_EQ(curves[1].rotation, "layer");
  EXPECT_TRUE(curves[3].prefill);
  EXPECT_THAT(sparsities_of(run), ElementsAre(0, 500));
  EXPECT_THAT(modes_of(run), ElementsAre("online", "merged"));
  EXPECT_THAT(prefills_of(run), ElementsAre(false, true));
}

TEST(CurvesTest, ARotationIsJudgedAgainstNoneAtEqualSparsity) {
  const SweepRun run =
      quiet_sweep({sweep_point("online", "none", 0, 10), sweep_point("online", "none", 200, 10),
                   sweep_point("online", "none", 400, 12), sweep_point("online", "none", 600, 20),
                   sweep_point("online", "none", 800, std::nullopt), sweep_point("online", "layer", 0, 9),
                   sweep_point("online", "layer", 200, 10.05), sweep_point("online", "layer", 400, 11),
                   sweep_point("online", "layer", 600, 25), sweep_point("online", "layer", 800, 30),
                   sweep_point("online", "layer", 900, 30), sweep_point("merged", "layer", 400, 11)});
  const auto all = against_none(run);
  ASSERT_EQ(all.size(), 1u) << "merged has no none";
  EXPECT_THAT(all[0].better(), ElementsAre(400));
  EXPECT_THAT(all[0].same(), ElementsAre(200));
  EXPECT_THAT(all[0].worse(), ElementsAre(600));
  EXPECT_DOUBLE_EQ(all[0].price.at(600), 1.25);
}

TEST(CurvesTest, PrefillIsComparedWithPrefill) {
  const SweepRun run =
      quiet_sweep({sweep_point("online", "none", 500, 12, true), sweep_point("online", "layer", 500, 11)});
  EXPECT_THAT(against_none(run), IsEmpty());
}

TEST(CurvesTest, TheSparsityToSpeakOf) {
  const SweepRun run =
      quiet_sweep({sweep_point("online", "none", 400, 12), sweep_point("online", "layer", 400, 11),
                   sweep_point("online", "none", 600, 12), sweep_point("online", "layer", 600, 11)});
  const auto all = against_none(run);
  EXPECT_EQ(telling_sparsity(all, {400, 500}), 400);
  EXPECT_EQ(telling_sparsity(all, {500}), 600);
  EXPECT_EQ(telling_sparsity({}, {500}), 0);
}

}  // namespace
}  // namespace trisect::report
