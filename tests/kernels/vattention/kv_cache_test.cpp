// What every policy promises, and what each one adds. Memory is judged by the kernel's account.
#include "kernels/vattention/kv_cache.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstring>
#include <fstream>
#include <numeric>
#include <optional>

#include "kernels/core/error.hpp"
#include "kernels/core/random.hpp"
#include "kernels/vattention/usage_meter.hpp"

namespace trisect::vattention {
namespace {

constexpr KvPolicy kAll[] = {KvPolicy::kStatic, KvPolicy::kLazy,       KvPolicy::kGrowing,
                             KvPolicy::kPaged,  KvPolicy::kVattention, KvPolicy::kTracked};

/// A token of 3 layers of 2 heads of 40 bf16: 480 bytes, no multiple of a page.
KvOptions small() {
  return {
      .shape = {.layers = 3, .heads = 2, .head_dim = 40, .dtype = Dtype::kBf16}, .slots = 4, .tokens = 100};
}

/// Tokens [length, to) of a slot.
void extend(KvCache& cache, int slot, int to) {
  const auto count = static_cast<std::size_t>(to - cache.length(slot));
  std::vector<std::int32_t> slots(count, slot), positions(count);
  std::iota(positions.begin(), positions.end(), cache.length(slot));
  cache.prepare(slots, positions);
}

std::byte* row(const dense::KvSpan& kv, const std::byte* base, int slot, int token) {
  return const_cast<std::byte*>(base) + kv.offset(slot, token);
}

/// Calls body(row, bytes) for the keys and the values of a token in every layer.
template <class Body>
void each_row(const KvCache& cache, const KvShape& shape, int slot, int token, const Body& body) {
  for (int layer = 0; layer < shape.layers; ++layer) {
    const dense::KvSpan kv = cache.layer(layer);
    body(row(kv, kv.k, slot, token), 2 * layer);
    body(row(kv, kv.v, slot, token), 2 * layer + 1);
  }
}

/// What a token of a sequence holds in one of its rows: never zero, and different everywhere.
std::uint8_t mark(std::uint64_t sequence, int token, int part) {
  return static_cast<std::uint8_t>(1 + random_bits(sequence, static_cast<std::uint64_t>(token * 64 + part)) %
                                           255);
}

void write(const KvCache& cache, const KvShape& shape, int slot, int token, std::uint64_t sequence) {
  each_row(cache, shape, slot, token,
           [&](std::byte* at, int part) { std::memset(at, mark(sequence, token, part), shape.row_bytes()); });
}

::testing::AssertionResult holds(const KvCache& cache, const KvShape& shape, int slot, int token,
                                 std::optional<std::uint64_t> sequence) {
  ::testing::AssertionResult result = ::testing::AssertionSuccess();
  each_row(cache, shape, slot, token, [&](const std::byte* at, int part) {
    const std::byte want{sequence ? mark(*sequence, token, part) : std::uint8_t{0}};
    for (std::size_t i = 0; i < shape.row_bytes(); ++i) {
      if (at[i] != want && result) {
        result = ::testing::AssertionFailure()
                 << "token " << token << " of slot " << slot << ", part " << part << ", byte " << i << ": "
                 << int(at[i]) << " instead of " << int(want);
      }
    }
  });
  return result;
}

void expect_kernel_agrees(const KvCache& cache) {
  cache.settle();
  EXPECT_EQ(cache.usage().committed, cache.resident());
}

class Policies : public ::testing::TestWithParam<KvPolicy> {
 protected:
  std::unique_ptr<KvCache> make(const KvOptions& options = small()) {
    return make_kv_cache(GetParam(), options);
  }
  bool is(KvPolicy policy) const { return GetParam() == policy; }
};
INSTANTIATE_TEST_SUITE_P(All, Policies, ::testing::ValuesIn(kAll),
                         [](const auto& param) { return std::string(name_of(param.param)); });

TEST_P(Policies, KeepWhatIsWrittenAsSequencesGrow) {
  const auto cache = make();
  const KvShape shape = small().shape;
  const int a = cache->acquire(100), b = cache->acquire(50);
  for (int token = 0; token < 100; ++token) {
    extend(*cache, a, token + 1);
    write(*cache, shape, a, token, 1);
    if (token >= 50) continue;
    extend(*cache, b, token + 1);
    write(*cache, shape, b, token, 2);
  }
  for (int token = 0; token < 100; ++token) {
    ASSERT_TRUE(holds(*cache, shape, a, token, 1));
    if (token < 50) {
      ASSERT_TRUE(holds(*cache, shape, b, token, 2));
    }
  }
  EXPECT_EQ(cache->usage().used, 150 * 2 * shape.token_bytes());
  expect_kernel_agrees(*cache);
}

TEST_P(Policies, NeverShowAnEarlierSequence) {
  const auto cache = make();
  const KvShape shape = small().shape;
  for (std::uint64_t round = 0; round < 6; ++round) {
    std::vector<int> slots;
    for (int i = 0; i < 4; ++i) {
      const int slot = cache->acquire(100),
                tokens = static_cast<int>(10 + random_bits(round, static_cast<std::uint64_t>(i)) % 91);
      slots.push_back(slot);
      for (int done = 0; done < tokens;) {
        const int now = std::min(tokens, done + 7);
        extend(*cache, slot, now);
        for (; done < now; ++done) {
          ASSERT_TRUE(holds(*cache, shape, slot, done, std::nullopt)) << "round " << round;
          write(*cache, shape, slot, done, round * 10 + 1);
        }
      }
    }
    for (const int slot : slots) cache->release(slot);
  }
}

TEST_P(Policies, RefuseWhatCannotBe) {
  const auto cache = make();
  EXPECT_THROW(cache->acquire(0), Error);
  EXPECT_THROW(cache->acquire(101), Error);
  EXPECT_THROW(cache->release(0), Error);
  EXPECT_THROW(extend(*cache, 0, 1), Error) << "not acquired";
  const int slot = cache->acquire(10);
  EXPECT_THROW(extend(*cache, slot, 11), Error);
  const std::int32_t slots[] = {slot, slot}, gap[] = {0, 2}, far[] = {1, 2}, negative[] = {-1, 0};
  for (const auto positions : {gap, far, negative})
    EXPECT_THROW(cache->prepare(slots, {positions, 2}), Error);
  EXPECT_EQ(cache->length(slot), 0);
  const std::int32_t unknown[] = {4, -1}, first[] = {0};
  EXPECT_THROW(cache->prepare({unknown, 1}, first), Error);
  EXPECT_THROW(cache->prepare({unknown + 1, 1}, first), Error);
  extend(*cache, slot, 10);
  const std::int32_t again[] = {3, 4};
  cache->prepare(slots, again);  // rows may be rewritten
  EXPECT_EQ(cache->length(slot), 10);
  for (int i = 0; i < 3; ++i) cache->acquire(1);
  EXPECT_THROW(cache->acquire(1), Error);
  cache->release(slot);
  EXPECT_THROW(cache->release(slot), Error);
  EXPECT_EQ(cache->acquire(1), slot);
}

TEST_P(Policies, RefuseImpossibleOptions) {
  const auto with = [&](auto change) {
    KvOptions options = small();
    change(options);
    return options;
  };
  EXPECT_THROW(make(with([](KvOptions& o) { o.slots = 0; })), Error);
  EXPECT_THROW(make(with([](KvOptions& o) { o.tokens = 0; })), Error);
  EXPECT_THROW(make(with([](KvOptions& o) { o.block_tokens = 0; })), Error);
  EXPECT_THROW(make(with([](KvOptions& o) { o.ahead_tokens = -1; })), Error);
  EXPECT_THROW(make(with([](KvOptions& o) { o.shape.layers = 0; })), Error);
  EXPECT_THROW(make(with([](KvOptions& o) { o.shape.dtype = Dtype::kI32; })), Error);
  EXPECT_EQ(policy_from_name(name_of(GetParam())), GetParam());
  EXPECT_THROW(policy_from_name("stat"), Error);
}

TEST_P(Policies, KeepTheBudgetAndGoOnWhenItIsShort) {
  KvOptions options = small();
  options.tokens = 1000;
  options.slots = 8;
  options.budget = std::size_t{3} << 20;  // three slots of 960000 bytes, rounded up
  const auto cache = make(options);
  std::vector<int> taken;
  bool refused = false;
  const KvShape shape = options.shape;
  for (int step = 0; step < 200 && !refused; ++step) {
    try {
      if (taken.size() < 8) taken.push_back(cache->acquire(1000));
      for (const int slot : taken) {
        const int length = cache->length(slot), to = std::min(1000, length + 40);
        if (to == length) continue;
        const bool fits = cache->demand(slot, to) <= cache->available();
        try {
          extend(*cache, slot, to);
          EXPECT_TRUE(fits) << "the scheduler would have waited for nothing";
        } catch (const Error&) {
          EXPECT_FALSE(fits) << "the scheduler was promised this";
          EXPECT_EQ(cache->length(slot), length);
          throw;
        }
        for (int token = length; token < to; ++token)
          write(*cache, shape, slot, token, static_cast<std::uint64_t>(slot));
      }
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kEnvironment);
      refused = true;
    }
    if (is(KvPolicy::kLazy)) continue;  // commits nothing itself; the kernel rounds
    EXPECT_LE(cache->usage().committed, options.budget);
    EXPECT_LE(cache->usage().peak, options.budget);
  }
  EXPECT_TRUE(refused) << "8 sequences of 1000 tokens cannot fit";
  for (const int slot : taken) {
    for (int token = 0; token < cache->length(slot); token += 17) {
      EXPECT_TRUE(holds(*cache, shape, slot, token, static_cast<std::uint64_t>(slot)));
    }
  }
  cache->release(taken.front());
  taken.front() = cache->acquire(40);
  EXPECT_NO_THROW(extend(*cache, taken.front(), 40)) << "what one gave back, another can have";
}

/// The same operations on the cache and on a model that only knows lengths and marks.
TEST_P(Policies, AgreeWithAModelOverRandomOperations) {
  constexpr int kOperations = 10000, kSlots = 6, kTokens = 64;
  KvOptions options = small();
  options.slots = kSlots;
  options.tokens = kTokens;
  const KvShape shape = options.shape;
  const std::size_t slot_bytes = 2 * shape.token_bytes() * kTokens;
  options.budget = is(KvPolicy::kStatic) || is(KvPolicy::kLazy) || is(KvPolicy::kTracked)
                       ? std::numeric_limits<std::size_t>::max()
                       : 4 * slot_bytes;  // six slots do not fit
  options.parked_budget = slot_bytes;
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
      const bool full = std::all_of(model.begin(), model.end(), [](const Model& one) { return one.taken; });
      if (full) {
        ASSERT_THROW(cache->acquire(limit), Error);
        continue;
      }
      const int slot = cache->acquire(limit);
      ASSERT_FALSE(model[static_cast<std::size_t>(slot)].taken);
      model[static_cast<std::size_t>(slot)] = {true, 0, limit, ++sequences};
    } else {
      const int slot = draw(2, kSlots);
      Model& one = model[static_cast<std::size_t>(slot)];
      if (!one.taken) {
        ASSERT_THROW(cache->release(slot), Error);
      } else if (kind == 1 && draw(3, 2) == 0) {
        cache->release(slot);
        one = {};
      } else {
        const int to = std::min(one.limit, one.length + 1 + draw(4, 4));
        if (to == one.length) continue;
        try {
          extend(*cache, slot, to);
        } catch (const Error& error) {
          ASSERT_EQ(error.code(), ExitCode::kEnvironment);
          ++refusals;
          cache->release(slot);
          one = {};
          continue;
        }
        for (int token = one.length; token < to; ++token) {
          ASSERT_TRUE(holds(*cache, shape, slot, token, std::nullopt)) << "operation " << i;
          write(*cache, shape, slot, token, one.sequence);
        }
        one.length = to;
        const int old = draw(5, to);
        ASSERT_TRUE(holds(*cache, shape, slot, old, one.sequence)) << "operation " << i;
      }
    }
    if (is(KvPolicy::kLazy) && i % 100 != 0) continue;  // asks the kernel each time
    std::size_t used = 0;
    for (const Model& each : model) used += 2 * shape.token_bytes() * static_cast<std::size_t>(each.length);
    const KvUsage usage = cache->usage();
    ASSERT_EQ(usage.used, used);
    if (is(KvPolicy::kLazy)) continue;
    ASSERT_LE(usage.committed, usage.reserved);
    ASSERT_LE(usage.used + usage.parked, usage.committed);
    ASSERT_LE(usage.committed, options.budget);
    if (i % 1000 == 0) expect_kernel_agrees(*cache);
  }
  expect_kernel_agrees(*cache);
  for (int slot = 0; slot < kSlots; ++slot) {
    const Model& one = model[static_cast<std::size_t>(slot)];
    for (int token = 0; token < one.length; ++token)
      ASSERT_TRUE(holds(*cache, shape, slot, token, one.sequence));
  }
  EXPECT_EQ(refusals > 0, options.budget != std::numeric_limits<std::size_t>::max());
}

// ---- what vattention adds ----

KvOptions interleaved(Granule granule) {
  KvOptions options{
      .shape = {.layers = 4, .heads = 4, .head_dim = 64, .dtype = Dtype::kBf16}, .slots = 6, .tokens = 4096};
  options.granule = granule;
  return options;
}

class Vattention : public ::testing::TestWithParam<Granule> {
 protected:
  void SetUp() override {
    if (GetParam() == Granule::kHuge && !has_huge_pages()) GTEST_SKIP() << has_huge_pages().why_not;
  }
  std::size_t granule() const { return bytes_of(GetParam()); }
};
INSTANTIATE_TEST_SUITE_P(All, Vattention, ::testing::Values(Granule::kSmall, Granule::kHuge),
                         [](const auto& param) { return std::string(name_of(param.param)); });

TEST_P(Vattention, CommitsAtMostTwoGranulesMoreThanIsUsedAndTheWindow) {
  KvOptions options = interleaved(GetParam());
  const auto cache = make_kv_cache(KvPolicy::kVattention, options);
  const std::size_t window = 2 * options.shape.token_bytes() * static_cast<std::size_t>(options.ahead_tokens);
  const int slot = cache->acquire(4096);
  for (int tokens : {1, 2, 100, 511, 512, 513, 2000, 4096}) {
    extend(*cache, slot, tokens);
    cache->settle();
    const KvUsage usage = cache->usage();
    EXPECT_LT(usage.committed - usage.used, window + 2 * granule()) << tokens;
    EXPECT_EQ(usage.committed, cache->resident()) << tokens;
    EXPECT_EQ(usage.parked, 0u);
  }
}

TEST_P(Vattention, ReturnsToTheParkedBudget) {
  for (const std::size_t budget :
       {std::size_t{0}, 3 * 2 * granule(), std::numeric_limits<std::size_t>::max()}) {
    for (const bool background : {false, true}) {
      KvOptions options = interleaved(GetParam());
      options.parked_budget = budget;
      options.background = background;
      const auto cache = make_kv_cache(KvPolicy::kVattention, options);
      for (int i = 0; i < 6; ++i) extend(*cache, cache->acquire(4096), 600 * (i + 1) - 100);
      cache->settle();
      const std::size_t before = cache->usage().committed;
      EXPECT_EQ(before, cache->resident());
      for (int slot = 0; slot < 6; ++slot) cache->release(slot);
      cache->settle();
      const KvUsage usage = cache->usage();
      EXPECT_EQ(usage.committed, std::min(before, budget / (2 * granule()) * (2 * granule())));
      EXPECT_EQ(usage.parked, usage.committed);
      EXPECT_EQ(usage.used, 0u);
      EXPECT_EQ(usage.committed, cache->resident());
    }
  }
}

TEST(VattentionReuse, TakesTheParkedSlotThatFits) {
  KvOptions options = interleaved(Granule::kSmall);
  options.ahead_tokens = 0;
  const auto cache = make_kv_cache(KvPolicy::kVattention, options);
  std::vector<int> slots;
  for (const int tokens : {1000, 200, 600}) {
    slots.push_back(cache->acquire(4096));
    extend(*cache, slots.back(), tokens);
  }
  for (const int slot : slots) cache->release(slot);
  EXPECT_EQ(cache->acquire(500), slots[2]) << "the least that is enough";
  EXPECT_EQ(cache->acquire(3000), slots[0]) << "else the most there is";
  EXPECT_EQ(cache->acquire(100), slots[1]);
  const std::uint64_t before = cache->work().commits + cache->work().background_commits;
  extend(*cache, slots[2], 500);
  extend(*cache, slots[1], 100);
  EXPECT_EQ(cache->work().commits + cache->work().background_commits, before)
      << "parked memory costs no commit";
}

TEST(VattentionReuse, CallsMemoryBeyondTheSequenceParked) {
  KvOptions options = interleaved(Granule::kSmall);
  options.ahead_tokens = 0;
  const auto cache = make_kv_cache(KvPolicy::kVattention, options);
  int slot = cache->acquire(4096);
  extend(*cache, slot, 4096);
  const std::size_t all = cache->usage().committed;
  cache->release(slot);
  slot = cache->acquire(4096);
  extend(*cache, slot, 16);
  const KvUsage usage = cache->usage();
  EXPECT_EQ(usage.committed, all);
  EXPECT_EQ(usage.parked, all - 2 * options.shape.token_bytes() * 16);
  EXPECT_EQ(usage.fragmentation(), 0u);
}

/// Page faults of this thread.
long faults() {
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  return usage.ru_minflt + usage.ru_majflt;
}

TEST_P(Vattention, TakesNoFaultAndNoCommitInSteadyState) {
  KvOptions options = interleaved(GetParam());
  const auto cache = make_kv_cache(KvPolicy::kVattention, options);
  const int slot = cache->acquire(4096);
  const auto step = [&](int tokens) {
    extend(*cache, slot, tokens);
    write(*cache, options.shape, slot, tokens - 1, 1);
    cache->settle();  // stands for the time that a step computes
  };
  for (int tokens = 1; tokens <= 20; ++tokens) step(tokens);
  const std::uint64_t commits = cache->work().commits, background = cache->work().background_commits;
  [[maybe_unused]] const long before = faults();
  for (int tokens = 21; tokens <= 3000; ++tokens) step(tokens);
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)  // whose own memory faults
  EXPECT_EQ(faults(), before);
#endif
  EXPECT_EQ(cache->work().commits, commits);
  EXPECT_GT(cache->work().background_commits, background);
}

/// Private writable memory of this process, which RLIMIT_DATA limits.
std::size_t data_bytes() {
  std::ifstream status("/proc/self/status");
  std::size_t kb = 0;
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmData:")) kb = std::stoul(line.substr(7));
  }
  return kb * 1024;
}

TEST(VattentionFailure, CommitsThatTheKernelRefusesAreRolledBack) {
  KvOptions options = interleaved(Granule::kSmall);
  options.tokens = 65536;  // 128 MiB of keys a slot
  const auto cache = make_kv_cache(KvPolicy::kVattention, options);
  const int a = cache->acquire(65536), b = cache->acquire(65536);
  extend(*cache, a, 100);
  cache->settle();
  {
    rlimit before{};
    getrlimit(RLIMIT_DATA, &before);
    const rlimit now{data_bytes() + (200u << 20), before.rlim_max};  // the keys fit, the values do not
    setrlimit(RLIMIT_DATA, &now);
    EXPECT_THROW(extend(*cache, b, 65536), Error);
    setrlimit(RLIMIT_DATA, &before);
  }
  EXPECT_EQ(cache->length(b), 0);
  expect_kernel_agrees(*cache);
  extend(*cache, a, 200);
  extend(*cache, b, 300);
  expect_kernel_agrees(*cache);
}

// ---- what the others add ----

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
