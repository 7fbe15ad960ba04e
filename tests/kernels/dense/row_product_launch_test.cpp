// How the GPU's row product is divided, worked out for devices that need not be there.
#include "kernels/dense/row_product_launch.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace trisect::dense {
namespace {

constexpr int kColumnsOfTile = 256;  // 32 lanes x 16 bytes of bf16

struct Work {
  int rows, out;
};
// phi-2's two matrices of a layer at 0, 40, 50 and 75 % sparsity.
constexpr Work kWork[] = {{2560, 17920}, {1536, 17920}, {1280, 17920}, {640, 17920},
                          {10240, 2560}, {6144, 2560},  {5120, 2560},  {2560, 2560}};

TEST(RowProductLaunch, NoSmWorksMuchLongerThanTheOthers) {
  for (const int sms : {108, 132}) {  // of an A100 and an H100
    for (const Work& work : kWork) {
      const int blocks = product_blocks(work.rows, work.out, kColumnsOfTile, sms, kProductBlocksPerSm);
      const double steps = static_cast<double>(work.rows) * work.out / kColumnsOfTile;
      const double longest = std::ceil(steps / blocks) * std::ceil(static_cast<double>(blocks) / sms);
      EXPECT_LE(longest, 1.1 * steps / sms) << work.rows << " rows of " << work.out << " on " << sms << " SMs";
    }
  }
}

TEST(RowProductLaunch, AnSmKeeps32KilobytesInFlight) {
  constexpr int kLaneBytes = 16;
  EXPECT_GE(kProductBlocksPerSm * kProductThreads * kProductAhead * kLaneBytes, 32 << 10);
}

TEST(RowProductLaunch, SmallProductsTakeFewBlocks) {
  EXPECT_EQ(product_blocks(0, 1, kColumnsOfTile, 132, 2), 1);
  EXPECT_EQ(product_blocks(64, 256, kColumnsOfTile, 132, 2), 1);
  EXPECT_EQ(product_blocks(65, 256, kColumnsOfTile, 132, 2), 2);
}

}  // namespace
}  // namespace trisect::dense
