// What the kernels move against what their ops declare: see tests/kernels/traffic.hpp.
#include "tests/kernels/traffic.hpp"

#include "kernels/core/cuda/device.hpp"
#include "kernels/larosa/layer.hpp"
#include "kernels/larosa/sparse_gemv.hpp"
#include "kernels/larosa/topk.hpp"

namespace trisect::larosa {
namespace {

using testing::CudaTraffic;
using testing::Traffic;

TEST_F(CudaTraffic, RowskipMovesLittleMoreThanItDeclares) {
  for (const auto& [in, out] : {std::pair{2560, 17920}, {10240, 2560}}) {
    for (const int permille : {400, 500, 750}) {
      const SparseGemv::Problem problem{in, out, permille, Dtype::kBf16};
      SCOPED_TRACE(describe<SparseGemv>(problem));
      const Traffic traffic = measure<SparseGemv>(problem, "cuda_rowskip");
      const Cost cost = SparseGemv::cost(problem);
      EXPECT_EQ(traffic.launches, 1);
      EXPECT_LE(traffic.dram_bytes, 1.05 * (cost.bytes_read + cost.bytes_written));
      EXPECT_GE(traffic.requested, 0.9 * traffic.fetched);
      EXPECT_LE(traffic.replays, 0.02 * traffic.shared_accesses);
      EXPECT_EQ(traffic.local_bytes, 0);
      fmt::print("{}: {:.4f} of the declared bytes, {:.4f} of each sector, {:.4f} replays an access\n",
                 describe<SparseGemv>(problem), traffic.dram_bytes / (cost.bytes_read + cost.bytes_written),
                 traffic.requested / traffic.fetched, traffic.replays / traffic.shared_accesses);
    }
  }
}

TEST_F(CudaTraffic, RadixReadsEachKeyOnce) {
  for (const int n : {2560, 10240, 16384}) {
    const Topk::Problem problem{3, n, 500};
    const Traffic traffic = measure<Topk>(problem, "cuda_radix");
    const Cost cost = Topk::cost(problem);
    EXPECT_EQ(traffic.launches, 1);
    EXPECT_LE(traffic.requested, 1.001 * (cost.bytes_read + cost.bytes_written));
    EXPECT_EQ(traffic.local_bytes, 0);
  }
}

TEST_F(CudaTraffic, FusedIsOneLaunchBehindTheRotation) {
  for (const int rotated : {0, 1}) {
    const Traffic traffic = measure<Layer>({2560, 2560, rotated, 500, Dtype::kBf16}, "cuda_fused");
    EXPECT_EQ(traffic.launches, 1 + rotated);
    EXPECT_EQ(traffic.local_bytes, 0);
  }
}

}  // namespace
}  // namespace trisect::larosa
