#include "microbench/harness/plan.hpp"

#include <gtest/gtest.h>

namespace trisect::microbench {
namespace {

TEST(Iterations, FollowFromTheCostAlone) {
  EXPECT_EQ(iterations({}, false), 500);
  EXPECT_EQ(iterations({92e6, 0, 92e6}, false), 10);
  EXPECT_EQ(iterations({0, 0, 47e9}, false), 1);
  EXPECT_EQ(iterations({1e15, 1e15, 1e18}, false), 1);
}

TEST(Iterations, FollowTheLengthOfARepetition) {
  EXPECT_EQ(iterations({92e6, 0, 92e6}, false, 5), 1);
  EXPECT_EQ(iterations({92e6, 0, 92e6}, false, 500), 100);
}

TEST(Iterations, AreFewerWhereCostsDoNotTellHowLongACallTakes) {
  EXPECT_EQ(iterations({92e6, 0, 92e6}, false, 50, Device::kCpu, 1e-3), 10) << "the costs say more";
  EXPECT_EQ(iterations({}, false, 50, Device::kCpu, 9e-3), 5);
  EXPECT_EQ(iterations({}, false, 50, Device::kCpu, 1), 1);
}

TEST(Iterations, AreOneForReferences) { EXPECT_EQ(iterations({}, true), 1); }

constexpr std::size_t kCache = 32 << 20, kPlenty = std::size_t{1} << 40;

TEST(Copies, ExceedThreeTimesTheCache) {
  const std::size_t weight = 13 << 20;
  const Copies plan = plan_copies(13 << 20, 0, weight, kCache, kPlenty);
  EXPECT_TRUE(plan.cold);
  EXPECT_GT(plan.count * weight, 3 * kCache);
  EXPECT_LE((plan.count - 1) * weight, 3 * kCache);
}

TEST(Copies, CountOnlyWhatIsRead) {
  const Copies all = plan_copies(16 << 20, 0, 16 << 20, kCache, kPlenty);
  const Copies quarter = plan_copies(4 << 20, 0, 16 << 20, kCache, kPlenty);
  EXPECT_GT(quarter.count, 3 * all.count);
}

TEST(Copies, AreAtLeastThreeWithWeights) {
  EXPECT_EQ(plan_copies(1e9, 0, 1 << 30, kCache, kPlenty).count, 3u);
}

TEST(Copies, GiveUpColdnessBeforeMemory) {
  EXPECT_FALSE(plan_copies(4, 4, 4, kCache, kPlenty).cold);
  const Copies poor = plan_copies(13 << 20, 0, 13 << 20, kCache, std::size_t{40} << 20);
  EXPECT_FALSE(poor.cold);
  EXPECT_EQ(poor.count, 3u);
}

TEST(Copies, StayHotWithoutWeights) {
  EXPECT_EQ(plan_copies(10240, 10240, 0, kCache, kPlenty).count, 51u);
  EXPECT_EQ(plan_copies(102400, 102400, 0, kCache, kPlenty).count, 8u);
  EXPECT_EQ(plan_copies(1e9, 1 << 30, 0, kCache, kPlenty).count, 1u);
  EXPECT_EQ(plan_copies(0, 0, 0, kCache, kPlenty).count, 64u);
}

}  // namespace
}  // namespace trisect::microbench
