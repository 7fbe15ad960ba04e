// What vAttention adds to the promises of every KV cache, on a device.
#include "tests/kernels/vattention/kv_cache_on_device.hpp"
#include "tests/kernels/vattention/vmm_faults.hpp"

namespace trisect::vattention {
namespace {

class CudaVattention : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!why_no_cuda().empty()) GTEST_SKIP() << why_no_cuda();
    granule_ = bytes_of(Granule::kSmall, Device::kCuda);
  }
  std::size_t granule_ = 0;
};

TEST_F(CudaVattention, OneStepOfGrowthMapsTwoGranulesWhateverTheLayers) {
  const VmmFaults faults;
  KvOptions options = large();
  options.shape = {.layers = 32, .heads = 4, .head_dim = 40, .dtype = Dtype::kF32};  // 20 KiB a token
  options.background = false;
  options.ahead_tokens = 0;
  const auto cache = make_kv_cache(KvPolicy::kVattention, options);
  const int slot = cache->acquire(300);
  for (int tokens = 1; tokens <= 300; ++tokens) {
    const int before = faults.made(VmmFaults::kMap);
    extend(*cache, slot, tokens);
    const int mapped = faults.made(VmmFaults::kMap) - before;
    ASSERT_TRUE(mapped == 0 || mapped == 2) << mapped << " at token " << tokens;
    ASSERT_LE(cache->usage().fragmentation(), 2 * granule_);
  }
  EXPECT_EQ(faults.made(VmmFaults::kMap), 6);
}

TEST_F(CudaVattention, TheWorkerMapsAheadOfTheSequence) {
  KvOptions options = large();
  const auto cache = make_kv_cache(KvPolicy::kVattention, options);
  const int slot = cache->acquire(300);
  extend(*cache, slot, 1);
  cache->settle();
  const std::uint64_t commits = cache->work().commits;
  for (int tokens = 2; tokens <= 300; ++tokens) {
    extend(*cache, slot, tokens);
    cache->settle();  // stands for the time that a step computes
  }
  EXPECT_EQ(cache->work().commits, commits) << "no step waited for memory";
  EXPECT_GT(cache->work().background_commits, 0u);
}

TEST_F(CudaVattention, ReturnsToTheParkedBudget) {
  for (const std::size_t budget : {std::size_t{0}, 6 * granule_, std::numeric_limits<std::size_t>::max()}) {
    for (const bool background : {false, true}) {
      KvOptions options = large();
      options.parked_budget = budget;
      options.background = background;
      const auto cache = make_kv_cache(KvPolicy::kVattention, options);
      for (int i = 0; i < 4; ++i) extend(*cache, cache->acquire(300), 60 * (i + 1));
      cache->settle();
      const std::size_t before = cache->usage().committed;
      for (int slot = 0; slot < 4; ++slot) cache->release(slot);
      cache->settle();
      EXPECT_EQ(cache->usage().committed, std::min(before, budget));
      EXPECT_EQ(cache->usage().parked, cache->usage().committed);
      EXPECT_EQ(cache->usage().committed, cache->resident());
    }
  }
}

TEST_F(CudaVattention, ParkedMemoryCostsTheNextSequenceNoCall) {
  const VmmFaults faults;
  KvOptions options = large();
  options.ahead_tokens = 0;
  const auto cache = make_kv_cache(KvPolicy::kVattention, options);
  const int first = cache->acquire(300);
  extend(*cache, first, 300);
  cache->release(first);
  const int mapped = faults.made(VmmFaults::kMap);
  const int second = cache->acquire(280);
  EXPECT_EQ(second, first);
  extend(*cache, second, 280);
  EXPECT_EQ(faults.made(VmmFaults::kMap), mapped);
}

TEST_F(CudaVattention, UnderABudgetHandlesMoveFromSlotToSlot) {
  const VmmFaults faults;
  KvOptions options = large();
  options.ahead_tokens = 0;
  options.budget = 10 * granule_;  // a slot has ten
  const auto cache = make_kv_cache(KvPolicy::kVattention, options);
  const int a = cache->acquire(300), b = cache->acquire(300);
  extend(*cache, a, 300);
  ASSERT_EQ(cache->usage().committed, options.budget);
  cache->release(a);
  const int created = faults.made(VmmFaults::kCreate);
  extend(*cache, b, 300);
  EXPECT_EQ(faults.made(VmmFaults::kCreate), created);
  EXPECT_EQ(cache->usage().committed, options.budget);
  EXPECT_EQ(cache->resident(), options.budget);
}

}  // namespace
}  // namespace trisect::vattention
