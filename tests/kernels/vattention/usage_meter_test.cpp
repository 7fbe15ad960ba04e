#include "kernels/vattention/usage_meter.hpp"

#include <gtest/gtest.h>

namespace trisect::vattention {
namespace {

TEST(UsageMeter, WeighsAmountsByTheirTime) {
  UsageMeter meter;
  meter.sample(10, {.reserved = 100, .committed = 40, .used = 10, .parked = 0, .peak = 50});
  meter.sample(11, {.reserved = 100, .committed = 20, .used = 20, .parked = 0, .peak = 50});
  meter.sample(14, {.reserved = 100, .committed = 80, .used = 1, .parked = 79, .peak = 80});
  const UsageMeter::Summary summary = meter.summary();
  EXPECT_EQ(summary.average.committed, (40 * 1 + 20 * 3) / 4u);
  EXPECT_EQ(summary.average.used, (10 * 1 + 20 * 3) / 4u);
  EXPECT_DOUBLE_EQ(summary.average_fragmentation, 30 * 1 / 4.0);
  EXPECT_EQ(summary.peak.committed, 80u);
  EXPECT_EQ(summary.peak.used, 20u);
  EXPECT_EQ(summary.peak_fragmentation, 30u);
  EXPECT_DOUBLE_EQ(summary.utilisation, 17.0 / 25);
  EXPECT_EQ(UsageMeter().summary().average.committed, 0u);
}

}  // namespace
}  // namespace trisect::vattention
