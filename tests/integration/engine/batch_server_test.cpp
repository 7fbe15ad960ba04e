// Requests in one batch: the same tokens on every KV cache, and order under a budget.
#include "integration/phi2/engine/batch_server.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <numeric>

#include "integration/phi2/engine/generate.hpp"
#include "integration/phi2/engine/random_rotations.hpp"
#include "kernels/core/error.hpp"
#include "kernels/core/random.hpp"
#include "tests/integration/engine/fixture.hpp"

namespace trisect::phi2 {
namespace {

using vattention::KvPolicy;

constexpr KvPolicy kPolicies[] = {KvPolicy::kStatic, KvPolicy::kLazy,       KvPolicy::kGrowing,
                                  KvPolicy::kPaged,  KvPolicy::kVattention, KvPolicy::kTracked};

class BatchServers : public ::testing::Test {
 protected:
  BatchServers() : engine(load_fixture("head80_bf16", Dtype::kBf16), {.context = 48, .slots = 4}) {}

  std::vector<std::int32_t> prompt(std::uint64_t seed, int tokens) const {
    std::vector<std::int32_t> ids;
    for (int i = 0; i < tokens; ++i) {
      ids.push_back(static_cast<std::int32_t>(random_bits(seed, static_cast<std::uint64_t>(i)) %
                                              static_cast<std::uint64_t>(engine.config().vocab)));
    }
    return ids;
  }
  std::vector<Request> some_requests() const {
    std::vector<Request> requests;
    for (int i = 0; i < 10; ++i) {
      const int tokens = 1 + i * 7 % 30;
      requests.push_back({i / 2 * 3, prompt(static_cast<std::uint64_t>(i), tokens), 1 + i * 5 % 17});
    }
    return requests;
  }
  std::unique_ptr<vattention::KvCache> cache(
      KvPolicy policy, int slots = 4, std::size_t budget = std::numeric_limits<std::size_t>::max()) const {
    vattention::KvOptions options = kv_options(engine.config(), Dtype::kBf16, slots, engine.context());
    options.budget = budget;
    return vattention::make_kv_cache(policy, options);
  }
  std::vector<Served> serve(vattention::KvCache& cache, const std::vector<Request>& requests) {
    BatchServer server(engine, cache, requests);
    for (int i = 0; i < 1000 && !server.done(); ++i) server.step();
    EXPECT_TRUE(server.done());
    return server.served();
  }

  Engine engine;
};

TEST_F(BatchServers, GiveTheSameTokensOnEveryCache) {
  const std::vector<Request> requests = some_requests();
  const auto first = cache(kPolicies[0]);
  const std::vector<Served> want = serve(*first, requests);
  for (const KvPolicy policy : kPolicies) {
    const auto mine = cache(policy);
    const std::vector<Served> got = serve(*mine, requests);
    for (std::size_t i = 0; i < requests.size(); ++i) {
      EXPECT_EQ(got[i].outcome, Outcome::kFinished) << name_of(policy);
      EXPECT_EQ(static_cast<int>(got[i].ids.size()), requests[i].output);
      EXPECT_EQ(got[i].ids, want[i].ids) << name_of(policy) << ", request " << i;
      EXPECT_EQ(got[i].preemptions, 0);
      EXPECT_GE(got[i].started, requests[i].arrival);
    }
    EXPECT_EQ(mine->usage().used, 0u) << "all slots are back";
  }
}

TEST_F(BatchServers, DecodeSlotsOfDifferentLengthsAsEachAlone) {
  const std::vector<Request> requests = some_requests();
  const auto together = cache(KvPolicy::kVattention);
  const std::vector<Served> served = serve(*together, requests);
  int equal = 0, all = 0;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const Generation alone = generate(engine, requests[i].prompt, {.max_new_tokens = requests[i].output});
    all += requests[i].output;
    for (std::size_t t = 0; t < alone.ids.size() && alone.ids[t] == served[i].ids[t]; ++t) ++equal;
  }
  // Products of one row and of several round differently: a tie may fall the other way.
  EXPECT_GE(equal, all * 9 / 10) << equal << " of " << all;
}

/// With LaRoSA a batch decodes as sparsely as a sequence alone, and its prompts stay as dense.
TEST_F(BatchServers, DecodeSparselyAsEachAlone) {
  for (const LarosaMode mode : {LarosaMode::kNaive, LarosaMode::kOnline, LarosaMode::kMerged}) {
    RotationInfo info;
    info.kind = RotationKind::kRandom;
    info.space = mode == LarosaMode::kMerged ? kCentredSpace : kLayernormSpace;
    const auto logits_of = [&](int permille, bool together) {
      EngineOptions options{.context = 48, .slots = 3};
      options.larosa = LarosaOptions{.mode = mode, .rotation = info.kind, .sparsity_permille = permille};
      Weights weights = load_fixture("head80_bf16", Dtype::kF32);
      const auto rotations = random_rotations(weights.config, info, 5);
      Engine sparse(std::move(weights), options, rotations.get());
      vattention::KvCache& cache = sparse.cache();
      const Buffer logits(Dtype::kF32, 3, sparse.config().vocab);
      std::vector<std::int32_t> tokens, slots, positions;
      for (int i = 0; i < 3; ++i) {
        const std::vector<std::int32_t> ids = prompt(static_cast<std::uint64_t>(i), 5 + i);
        const std::vector<std::int32_t> slot(ids.size(), cache.acquire(48));
        std::vector<std::int32_t> position(ids.size());
        std::iota(position.begin(), position.end(), 0);
        sparse.step({ids, slot, position}, {});
        tokens.push_back(ids[0]);
        slots.push_back(slot[0]);
        positions.push_back(static_cast<std::int32_t>(ids.size()));
      }
      for (std::size_t i = 0; i < (together ? 1 : 3); ++i) {
        const auto rows = [&](const std::vector<std::int32_t>& all) {
          return together ? std::span(all) : std::span(all).subspan(i, 1);
        };
        sparse.step({rows(tokens), rows(slots), rows(positions)},
                    logits.view().rows_from(static_cast<std::int64_t>(i), together ? 3 : 1));
      }
      Buffer copy(Dtype::kF32, 3, sparse.config().vocab);
      std::memcpy(copy.data(), logits.data(), logits.bytes());
      return copy;
    };
    const Buffer together = logits_of(500, true), alone = logits_of(500, false), dense = logits_of(0, true);
    EXPECT_LT(distance(together.view(), alone.view()), 1e-4) << static_cast<int>(mode);
    EXPECT_GT(distance(together.view(), dense.view()), 1e-2) << static_cast<int>(mode);
  }
}

TEST_F(BatchServers, StepAsGenerateDoes) {
  const std::vector<Request> one{{0, prompt(3, 12), 20}};
  const Generation want = generate(engine, one[0].prompt, {.max_new_tokens = 20});
  for (const KvPolicy policy : kPolicies) {
    const auto mine = cache(policy, 1);
    EXPECT_EQ(serve(*mine, one)[0].ids, want.ids) << name_of(policy);
  }
}

TEST_F(BatchServers, WaitPreemptAndFinishUnderABudget) {
  std::vector<Request> requests;
  for (int i = 0; i < 6; ++i) requests.push_back({0, prompt(static_cast<std::uint64_t>(i), 4), 40});
  requests.push_back({0, prompt(9, 40), 20});  // beyond the context
  const std::size_t token = 2 * kv_options(engine.config(), Dtype::kBf16, 1, 1).shape.token_bytes();
  for (const KvPolicy policy : {KvPolicy::kPaged, KvPolicy::kVattention, KvPolicy::kGrowing}) {
    const auto mine = cache(policy, 4, 120 * token + 16384);  // four of 44 tokens do not fit
    const std::vector<Served> served = serve(*mine, requests);
    int preemptions = 0;
    for (std::size_t i = 0; i < 6; ++i) {
      EXPECT_EQ(served[i].outcome, Outcome::kFinished) << name_of(policy) << " " << i;
      EXPECT_EQ(served[i].ids.size(), 40u);
      preemptions += served[i].preemptions;
    }
    EXPECT_GT(preemptions, 0) << name_of(policy);
    EXPECT_EQ(served[6].outcome, Outcome::kRefused);
    EXPECT_LE(mine->usage().peak, 120 * token + 16384);
  }
}

TEST_F(BatchServers, RefuseWhatNeverFits) {
  const std::size_t token = 2 * kv_options(engine.config(), Dtype::kBf16, 1, 1).shape.token_bytes();
  const auto mine = cache(KvPolicy::kPaged, 2, 17 * token);  // one block
  const std::vector<Served> served = serve(*mine, {{0, prompt(1, 10), 20}, {5, prompt(2, 10), 5}});
  EXPECT_EQ(served[0].outcome, Outcome::kRefused);
  EXPECT_TRUE(served[0].ids.empty());
  EXPECT_EQ(served[1].outcome, Outcome::kFinished);
  EXPECT_THROW(BatchServer(engine, *mine, {{0, {}, 1}}), Error);
  EXPECT_THROW(BatchServer(engine, *mine, {{0, prompt(1, 1), 0}}), Error);
}

}  // namespace
}  // namespace trisect::phi2
