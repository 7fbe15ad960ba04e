// KV caches on a device: what every policy promises, under random operations, and when memory is refused.
#include <cstdlib>

#include "tests/kernels/vattention/kv_cache_on_device.hpp"
#include "tests/kernels/vattention/vmm_faults.hpp"

namespace trisect::vattention {
namespace {

constexpr KvPolicy kAll[] = {KvPolicy::kStatic, KvPolicy::kGrowing, KvPolicy::kPaged, KvPolicy::kVattention,
                             KvPolicy::kTracked};

class CudaPolicies : public ::testing::TestWithParam<KvPolicy> {
 protected:
  void SetUp() override {
    if (!why_no_cuda().empty()) GTEST_SKIP() << why_no_cuda();
  }
  std::unique_ptr<KvCache> make(const KvOptions& options = large()) {
    return make_kv_cache(GetParam(), options);
  }
  bool is(KvPolicy policy) const { return GetParam() == policy; }
  bool is_fixed() const { return is(KvPolicy::kStatic) || is(KvPolicy::kTracked); }
};
INSTANTIATE_TEST_SUITE_P(All, CudaPolicies, ::testing::ValuesIn(kAll),
                         [](const auto& param) { return std::string(name_of(param.param)); });

TEST_P(CudaPolicies, KeepWhatIsWrittenAsSequencesGrow) {
  const auto cache = make();
  const KvShape shape = large().shape;
  const int a = cache->acquire(300), b = cache->acquire(150);
  for (int token = 0; token < 300; token += 5) {
    extend(*cache, a, token + 5);
    if (token < 150) extend(*cache, b, token + 5);
    for (int i = token; i < token + 5; ++i) {
      write(*cache, shape, a, i, 1);
      if (i < 150) write(*cache, shape, b, i, 2);
    }
  }
  for (int token = 0; token < 300; ++token) {
    ASSERT_TRUE(holds(*cache, shape, a, token, 1));
    if (token < 150) {
      ASSERT_TRUE(holds(*cache, shape, b, token, 2));
    }
  }
  EXPECT_EQ(cache->usage().used, 450 * 2 * shape.token_bytes());
  expect_driver_agrees(*cache);
}

TEST_P(CudaPolicies, NeverShowAnEarlierSequence) {
  const auto cache = make();
  const KvShape shape = large().shape;
  for (std::uint64_t round = 0; round < 3; ++round) {
    std::vector<int> slots;
    for (int i = 0; i < 4; ++i) {
      const int slot = cache->acquire(300);
      const int tokens = static_cast<int>(10 + random_bits(round, static_cast<std::uint64_t>(i)) % 200);
      slots.push_back(slot);
      for (int done = 0; done < tokens;) {
        const int now = std::min(tokens, done + 17);
        extend(*cache, slot, now);
        ASSERT_TRUE(holds(*cache, shape, slot, now - 1, std::nullopt)) << "round " << round;
        ASSERT_TRUE(holds(*cache, shape, slot, done, std::nullopt)) << "round " << round;
        for (; done < now; ++done) write(*cache, shape, slot, done, round * 10 + 1);
      }
    }
    for (const int slot : slots) cache->release(slot);  // with what was written last still queued
  }
}

/// The same operations on the cache and on a model that only knows lengths and marks.
TEST_P(CudaPolicies, AgreeWithAModelOverRandomOperations) {
  constexpr int kOperations = 3000, kSlots = 5, kTokens = 200;
  KvOptions options = large();
  options.slots = kSlots;
  options.tokens = kTokens;
  const KvShape shape = options.shape;
  const std::size_t granule = bytes_of(options.granule, Device::kCuda);
  if (!is_fixed()) options.budget = 10 * granule;  // five slots of six granules do not fit
  options.parked_budget = 4 * granule;
  const auto cache = make(options);
  struct Model {
    bool taken = false;
    int length = 0, limit = 0;
    std::uint64_t sequence = 0;
  };
  std::vector<Model> model(kSlots);
  std::uint64_t sequences = 0;
  int refusals = 0;
  for (std::uint64_t i = 0; i < kOperations; ++i) {
    const auto draw = [&](std::uint64_t what, int below) {
      return static_cast<int>(random_bits(derive(7, what), i) % static_cast<std::uint64_t>(below));
    };
    const int kind = draw(0, 10);
    if (kind == 0) {
      const int limit = 1 + draw(1, kTokens);
      if (std::all_of(model.begin(), model.end(), [](const Model& one) { return one.taken; })) {
        ASSERT_THROW(cache->acquire(limit), Error);
        continue;
      }
      const int slot = cache->acquire(limit);
      ASSERT_FALSE(model[static_cast<std::size_t>(slot)].taken);
      model[static_cast<std::size_t>(slot)] = {true, 0, limit, ++sequences};
      continue;
    }
    const int slot = draw(2, kSlots);
    Model& one = model[static_cast<std::size_t>(slot)];
    if (!one.taken) {
      ASSERT_THROW(cache->release(slot), Error);
    } else if (kind == 1) {
      cache->release(slot);
      one = {};
    } else {
      const int to = std::min(one.limit, one.length + 1 + draw(4, 25));
      if (to == one.length) continue;
      const bool fits = cache->demand(slot, to) <= cache->available();
      try {
        extend(*cache, slot, to);
        ASSERT_TRUE(fits) << "the scheduler would have waited for nothing";
      } catch (const Error& error) {
        ASSERT_EQ(error.code(), ExitCode::kEnvironment) << error.what();
        ASSERT_FALSE(fits) << "the scheduler was promised this";
        ++refusals;
        cache->release(slot);
        one = {};
        continue;
      }
      ASSERT_TRUE(holds(*cache, shape, slot, one.length + draw(6, to - one.length), std::nullopt)) << i;
      for (int token = one.length; token < to; ++token) write(*cache, shape, slot, token, one.sequence);
      one.length = to;
      ASSERT_TRUE(holds(*cache, shape, slot, draw(5, to), one.sequence)) << "operation " << i;
    }
    std::size_t used = 0;
    for (const Model& each : model) used += 2 * shape.token_bytes() * static_cast<std::size_t>(each.length);
    const KvUsage usage = cache->usage();
    ASSERT_EQ(usage.used, used);
    ASSERT_LE(usage.committed, usage.reserved);
    ASSERT_LE(usage.used + usage.parked, usage.committed);
    ASSERT_LE(usage.committed, options.budget);
    if (i % 100 == 0) expect_driver_agrees(*cache);
  }
  expect_driver_agrees(*cache);
  for (int slot = 0; slot < kSlots; ++slot) {
    const Model& one = model[static_cast<std::size_t>(slot)];
    for (int token = 0; token < one.length; token += 3)
      ASSERT_TRUE(holds(*cache, shape, slot, token, one.sequence));
  }
  EXPECT_EQ(refusals > 0, !is_fixed());
}

/// Each call that growth makes is refused once, with two sequences at work.
TEST_P(CudaPolicies, ARefusedGrowthLeavesTheCacheServing) {
  VmmFaults faults;
  KvOptions options = large();
  options.background = false;
  options.ahead_tokens = 0;
  const KvShape shape = options.shape;
  const auto cache = make(options);
  const int a = cache->acquire(300), b = cache->acquire(300);
  extend(*cache, a, 20);
  for (int token = 0; token < 20; ++token) write(*cache, shape, a, token, 1);
  int refusals = 0;
  for (const VmmFaults::Call call : kCallsOfCommit) {
    for (int others = 0; cache->length(b) < 250; ++others) {
      SCOPED_TRACE(fmt::format("call {} after {} others", static_cast<int>(call), others));
      faults.fail(call, others);
      const int before = cache->length(b);
      const std::size_t committed = cache->usage().committed;
      try {
        extend(*cache, b, std::min(300, before + 80));
        EXPECT_TRUE(faults.is_pending(call)) << "a refusal was swallowed";
        faults.fail(call, -1);
        break;
      } catch (const VmmError& error) {
        EXPECT_EQ(error.code(), ExitCode::kEnvironment);
        EXPECT_EQ(error.status(), CUDA_ERROR_OUT_OF_MEMORY);
        ++refusals;
      }
      EXPECT_EQ(cache->length(b), before);
      EXPECT_GE(cache->usage().committed, committed);
      expect_driver_agrees(*cache);
      for (int token = 0; token < 20; ++token) ASSERT_TRUE(holds(*cache, shape, a, token, 1));
    }
  }
  EXPECT_EQ(refusals > 0, !is_fixed());
  if (!is_fixed()) {
    EXPECT_GE(refusals, 4) << "keys and values, wherever they are refused";
  }
  extend(*cache, b, 300);
  for (const int token : {0, 79, 80, 299}) ASSERT_TRUE(holds(*cache, shape, b, token, std::nullopt));
  expect_driver_agrees(*cache);
}

TEST_P(CudaPolicies, TakeNoMemoryFromUnderQueuedWork) {
  const VmmFaults faults;
  KvOptions options = large();
  options.parked_budget = 0;
  options.background = false;  // the worker waits for events, not for its stream
  const auto cache = make(options);
  for (int round = 0; round < 3; ++round) {
    const int slot = cache->acquire(300);
    for (int to = 100; to <= 300; to += 100) {
      extend(*cache, slot, to);
      for (int token = to - 100; token < to; ++token) write(*cache, options.shape, slot, token, 3);
    }
    cache->release(slot);
  }
  EXPECT_EQ(faults.unmapped_under_work(), 0);
  EXPECT_EQ(faults.made(VmmFaults::kUnmap) > 0, !is_fixed());
}

TEST_P(CudaPolicies, RefuseTheirWholeBudgetOfAFullDevice) {
  if (std::getenv("CUDAEMU_MEMORY") == nullptr)
    GTEST_SKIP() << "CUDAEMU_MEMORY is not set: it would fill the device";
  KvOptions options = large();
  options.slots = 40;  // 240 granules in all, on a device of 32
  if (is_fixed()) {
    EXPECT_THROW(make(options), VmmError);
    options.slots = 1;
    EXPECT_NO_THROW(make(options));
    return;
  }
  const auto cache = make(options);
  std::vector<int> taken;
  bool refused = false;
  while (!refused && taken.size() < 40) {
    taken.push_back(cache->acquire(300));
    try {
      extend(*cache, taken.back(), 300);
      write(*cache, options.shape, taken.back(), 299, 1);
    } catch (const VmmError& error) {
      EXPECT_EQ(error.status(), CUDA_ERROR_OUT_OF_MEMORY);
      refused = true;
    }
  }
  EXPECT_TRUE(refused);
  expect_driver_agrees(*cache);
  for (const int slot : taken) {
    if (cache->length(slot) > 0) {
      ASSERT_TRUE(holds(*cache, options.shape, slot, 299, 1));
    }
  }
  cache->release(taken.front());
  extend(*cache, taken.back(), 200);  // what one gave back, or left parked, another can have
  expect_driver_agrees(*cache);
}

TEST(CudaLazy, IsForTheCpu) {
  if (!why_no_cuda().empty()) GTEST_SKIP() << why_no_cuda();
  EXPECT_THROW(make_kv_cache(KvPolicy::kLazy, large()), Error);
}

}  // namespace
}  // namespace trisect::vattention
