// What every policy promises. Memory is judged by the kernel's account.
#include "tests/kernels/vattention/kv_cache_fixture.hpp"

namespace trisect::vattention {
namespace {

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

}  // namespace
}  // namespace trisect::vattention
