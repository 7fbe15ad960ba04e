// What the caches that vattention is compared with add.
#include "tests/kernels/vattention/kv_cache_fixture.hpp"

namespace trisect::vattention {
namespace {

TEST(Tracked, SavesNothingButSaysSo) {
  const auto cache = make_kv_cache(KvPolicy::kTracked, interleaved(Granule::kSmall));
  extend(*cache, cache->acquire(4096), 10);
  const KvUsage usage = cache->usage();
  EXPECT_EQ(usage.claimed, 2 * 5 * bytes_of(Granule::kSmall));  // 10 tokens of 2048 bytes
  EXPECT_EQ(usage.committed, usage.reserved);
  EXPECT_EQ(usage.committed, cache->resident());
}

TEST(Growing, HoldsBothPlacesWhileItCopies) {
  KvOptions options = interleaved(Granule::kSmall);
  const auto cache = make_kv_cache(KvPolicy::kGrowing, options);
  const int slot = cache->acquire(4096);
  for (int tokens = 1; tokens <= 1025; ++tokens) extend(*cache, slot, tokens);
  const std::size_t token = 2 * options.shape.token_bytes();
  EXPECT_EQ(cache->usage().committed, 2048 * token);
  EXPECT_EQ(cache->usage().peak, (1024 + 2048) * token);
  EXPECT_EQ(cache->work().copied_bytes, (16 + 32 + 64 + 128 + 256 + 512 + 1024) * token);
}

TEST(Paged, ReturnsToTheParkedBudget) {
  KvOptions options = small();
  options.parked_budget = 0;
  const auto cache = make_kv_cache(KvPolicy::kPaged, options);
  for (int i = 0; i < 4; ++i) extend(*cache, cache->acquire(100), 30 * i + 5);
  expect_kernel_agrees(*cache);
  for (const int slot : {1, 3}) cache->release(slot);
  expect_kernel_agrees(*cache);
  EXPECT_EQ(cache->usage().parked, 0u);
  for (const int slot : {0, 2}) cache->release(slot);
  EXPECT_EQ(cache->usage().committed, 0u);
  EXPECT_EQ(cache->resident(), 0u);
}

TEST(Paged, ReturnsNeighboursInOneCallAndParksWhatIsAllowed) {
  KvOptions options = interleaved(Granule::kSmall);
  const std::size_t pair = 2 * bytes_of(options.granule);
  for (const std::size_t parked : {std::size_t{0}, 10 * pair}) {
    options.parked_budget = parked;
    const auto cache = make_kv_cache(KvPolicy::kPaged, options);
    const int a = cache->acquire(4096), b = cache->acquire(4096);
    extend(*cache, a, 1600);
    extend(*cache, b, 16);
    cache->release(a);
    EXPECT_EQ(cache->work().decommits, 2u) << "100 blocks lie side by side";
    EXPECT_EQ(cache->usage().parked, parked);
    expect_kernel_agrees(*cache);
    extend(*cache, cache->acquire(4096), 64);
    EXPECT_EQ(cache->usage().parked, parked - std::min(parked, 4 * 8 * pair))
        << "parked memory is used first";
    expect_kernel_agrees(*cache);
  }
}

}  // namespace
}  // namespace trisect::vattention
