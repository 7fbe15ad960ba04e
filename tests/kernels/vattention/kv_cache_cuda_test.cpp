// KV caches on a device: what every policy promises, under random operations, and when memory is refused.
#include <cuda_runtime_api.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <numeric>
#include <optional>

#include "kernels/core/cuda/error.hpp"
#include "kernels/core/error.hpp"
#include "kernels/core/random.hpp"
#include "kernels/vattention/kv_cache.hpp"
#include "tests/kernels/vattention/vmm_faults.hpp"

namespace trisect::vattention {
namespace {

constexpr KvPolicy kAll[] = {KvPolicy::kStatic, KvPolicy::kGrowing, KvPolicy::kPaged, KvPolicy::kVattention,
                             KvPolicy::kTracked};

/// A token of 2 layers of 48 heads of 80 f32, 30720 bytes: 68 tokens and a bit fill a granule of 2 MiB.
KvOptions large() {
  return {.shape = {.layers = 2, .heads = 48, .head_dim = 80, .dtype = Dtype::kF32},
          .device = Device::kCuda,
          .slots = 4,
          .tokens = 300};
}

void extend(KvCache& cache, int slot, int to) {
  const auto count = static_cast<std::size_t>(to - cache.length(slot));
  std::vector<std::int32_t> slots(count, slot), positions(count);
  std::iota(positions.begin(), positions.end(), cache.length(slot));
  cache.prepare(slots, positions);
}

/// KvSpan::offset() where the table is on the device.
std::int64_t offset(const dense::KvSpan& kv, int slot, int token) {
  if (kv.table == nullptr) return kv.offset(slot, token);
  std::int32_t page = 0;
  cuda_memory().download(&page, kv.table + slot * kv.table_stride + token / kv.page_tokens, sizeof page);
  return page * kv.slot + token % kv.page_tokens * kv.token;
}

/// Calls body(row, part) for the keys and the values of a token in every layer.
template <class Body>
void each_row(const KvCache& cache, const KvShape& shape, int slot, int token, const Body& body) {
  for (int layer = 0; layer < shape.layers; ++layer) {
    const dense::KvSpan kv = cache.layer(layer);
    const std::int64_t at = offset(kv, slot, token);
    body(const_cast<std::byte*>(kv.k) + at, 2 * layer);
    body(const_cast<std::byte*>(kv.v) + at, 2 * layer + 1);
  }
}

std::uint8_t mark(std::uint64_t sequence, int token, int part) {
  return static_cast<std::uint8_t>(1 + random_bits(sequence, static_cast<std::uint64_t>(token * 64 + part)) %
                                           255);
}

/// Queued, as a kernel would.
void write(const KvCache& cache, const KvShape& shape, int slot, int token, std::uint64_t sequence) {
  each_row(cache, shape, slot, token, [&](std::byte* at, int part) {
    TRISECT_CUDA_CALL(
        cudaMemsetAsync(at, mark(sequence, token, part), shape.row_bytes(), cuda::current_stream().get()));
  });
}

::testing::AssertionResult holds(const KvCache& cache, const KvShape& shape, int slot, int token,
                                 std::optional<std::uint64_t> sequence) {
  ::testing::AssertionResult result = ::testing::AssertionSuccess();
  std::vector<std::byte> row(shape.row_bytes());
  each_row(cache, shape, slot, token, [&](const std::byte* at, int part) {
    const std::byte want{sequence ? mark(*sequence, token, part) : std::uint8_t{0}};
    cuda_memory().download(row.data(), at, row.size());
    for (std::size_t i = 0; i < row.size() && result; ++i) {
      if (row[i] != want) {
        result = ::testing::AssertionFailure()
                 << "token " << token << " of slot " << slot << ", part " << part << ", byte " << i << ": "
                 << int(row[i]) << " instead of " << int(want);
      }
    }
  });
  return result;
}

void expect_driver_agrees(const KvCache& cache) {
  cache.settle();
  EXPECT_EQ(cache.usage().committed, cache.resident());
}

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

// ---- what vattention adds ----

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
