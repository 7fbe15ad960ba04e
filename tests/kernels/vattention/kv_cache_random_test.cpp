// Every policy against a model that knows only lengths and marks, over thousands of operations.
#include "tests/kernels/vattention/kv_cache_fixture.hpp"

namespace trisect::vattention {
namespace {

class RandomOperations : public ::testing::TestWithParam<KvPolicy> {
 protected:
  std::unique_ptr<KvCache> make(const KvOptions& options = small()) {
    return make_kv_cache(GetParam(), options);
  }
  bool is(KvPolicy policy) const { return GetParam() == policy; }
};
INSTANTIATE_TEST_SUITE_P(All, RandomOperations, ::testing::ValuesIn(kAll),
                         [](const auto& param) { return std::string(name_of(param.param)); });

/// The same operations on the cache and on a model that only knows lengths and marks.
TEST_P(RandomOperations, AgreeWithAModelOverRandomOperations) {
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

}  // namespace
}  // namespace trisect::vattention
