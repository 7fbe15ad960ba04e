// What the kernels move against what their ops declare: see tests/kernels/traffic.hpp.
#include "tests/kernels/traffic.hpp"

#include "kernels/vattention/append.hpp"
#include "kernels/vattention/decode_attention.hpp"

namespace trisect::vattention {
namespace {

using testing::CudaTraffic;
using testing::Traffic;

TEST_F(CudaTraffic, DecodingReadsKeysAndValuesOnce) {
  for (const auto& [heads, head_dim] : {std::pair{32, 80}, {40, 64}}) {
    for (const char* variant : {"cuda_contiguous", "cuda_paged"}) {
      const DecodeAttention::Problem problem{2, 512, 2, heads, head_dim, Dtype::kBf16};
      const std::string what = fmt::format("{} {}", variant, describe<DecodeAttention>(problem));
      SCOPED_TRACE(what);
      const Traffic traffic = measure<DecodeAttention>(problem, variant);
      const Cost cost = DecodeAttention::cost(problem);
      EXPECT_EQ(traffic.launches, 2);
      EXPECT_LE(traffic.dram_bytes, 1.05 * (cost.bytes_read + cost.bytes_written));
      EXPECT_GE(traffic.requested, 0.95 * traffic.fetched);
      EXPECT_LE(traffic.replays, 0.1 * traffic.shared_accesses);
      EXPECT_EQ(traffic.local_bytes, 0);
      fmt::print("{}: {:.4f} of the declared bytes, {:.4f} of each sector, {:.4f} replays an access\n", what,
                 traffic.dram_bytes / (cost.bytes_read + cost.bytes_written),
                 traffic.requested / traffic.fetched, traffic.replays / traffic.shared_accesses);
    }
  }
}

TEST_F(CudaTraffic, AppendingMovesWhatItDeclares) {
  const Append::Problem problem{16, 32, 16, 32, 80, Dtype::kBf16};
  const Traffic traffic = measure<Append>(problem, "cuda");
  const Cost cost = Append::cost(problem);
  EXPECT_EQ(traffic.launches, 1);
  EXPECT_LE(traffic.dram_bytes, 1.02 * (cost.bytes_read + cost.bytes_written));
  EXPECT_GE(traffic.requested, 0.99 * traffic.fetched);
}

}  // namespace
}  // namespace trisect::vattention
