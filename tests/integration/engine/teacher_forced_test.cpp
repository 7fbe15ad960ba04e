// Under a budget batches differ from cache to cache, and rounding with them. Given the same tokens, every
// cache must still lead to the same logits as a sequence that is alone.
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <numeric>

#include "integration/phi2/engine/engine.hpp"
#include "kernels/core/error.hpp"
#include "kernels/core/random.hpp"
#include "tests/integration/engine/fixture.hpp"

namespace trisect::phi2 {
namespace {

using vattention::KvPolicy;

constexpr int kContext = 48, kSequences = 4, kPrompt = 6;

/// Sequences of given tokens in one batch, with the logits of every token that was decoded.
class ForcedBatch {
 public:
  ForcedBatch(Engine& engine, vattention::KvCache& cache) : engine_(engine), cache_(cache) {}

  static std::vector<std::int32_t> tokens(int sequence, int vocab) {
    std::vector<std::int32_t> ids;
    for (int i = 0; i < kContext; ++i) {
      const Seed own = derive(11, static_cast<std::uint64_t>(sequence));
      ids.push_back(static_cast<std::int32_t>(random_bits(own, static_cast<std::uint64_t>(i)) %
                                              static_cast<std::uint64_t>(vocab)));
    }
    return ids;
  }

  int length(int sequence) const { return running_.count(sequence) == 1 ? running_.at(sequence).length : 0; }
  int running() const { return static_cast<int>(running_.size()); }

  /// False when memory does not suffice.
  bool admit(int sequence, int length) {
    if (cache_.demand(vattention::KvCache::kNewSlot, length) > cache_.available()) return false;
    const int slot = cache_.acquire(kContext);
    const std::vector<std::int32_t> all = tokens(sequence, engine_.config().vocab);
    const std::vector<std::int32_t> slots(static_cast<std::size_t>(length), slot);
    std::vector<std::int32_t> positions(static_cast<std::size_t>(length));
    std::iota(positions.begin(), positions.end(), 0);
    engine_.step({std::span(all).first(static_cast<std::size_t>(length)), slots, positions}, cache_, {});
    running_[sequence] = {slot, length};
    return true;
  }

  void drop(int sequence) {
    cache_.release(running_.at(sequence).slot);
    running_.erase(sequence);
  }

  bool fits() const {
    std::size_t demand = 0;
    for (const auto& [sequence, one] : running_) demand += cache_.demand(one.slot, one.length + 1);
    return demand <= cache_.available();
  }

  /// One token of each.
  void decode() {
    std::vector<std::int32_t> ids, slots, positions;
    for (auto& [sequence, one] : running_) {
      ids.push_back(tokens(sequence, engine_.config().vocab)[static_cast<std::size_t>(one.length)]);
      slots.push_back(one.slot);
      positions.push_back(one.length++);
    }
    const Buffer logits(Dtype::kF32, static_cast<std::int64_t>(ids.size()), engine_.config().vocab);
    engine_.step({ids, slots, positions}, cache_, logits.view());
    std::int64_t row = 0;
    for (const auto& [sequence, one] : running_) {
      const float* from = logits.view().row<float>(row++);
      logits_[{sequence, one.length - 1}].assign(from, from + engine_.config().vocab);
    }
  }

  using Logits = std::map<std::pair<int, int>, std::vector<float>>;  // by sequence and position
  const Logits& logits() const { return logits_; }

 private:
  struct Running {
    int slot = 0, length = 0;
  };
  Engine& engine_;
  vattention::KvCache& cache_;
  std::map<int, Running> running_;
  Logits logits_;
};

class TeacherForced : public ::testing::TestWithParam<KvPolicy> {};
INSTANTIATE_TEST_SUITE_P(All, TeacherForced,
                         ::testing::Values(KvPolicy::kStatic, KvPolicy::kGrowing, KvPolicy::kPaged,
                                           KvPolicy::kVattention),
                         [](const auto& param) { return std::string(name_of(param.param)); });

TEST_P(TeacherForced, LogitsAgreeUnderABudget) {
  Engine engine(load_fixture("head80_bf16", Dtype::kF32), {.context = kContext, .slots = 1});
  vattention::KvOptions options = kv_options(engine.config(), Dtype::kF32, kSequences, kContext);

  const auto alone_cache = make_kv_cache(KvPolicy::kStatic, options);
  ForcedBatch alone(engine, *alone_cache);
  for (int sequence = 0; sequence < kSequences; ++sequence) {
    ASSERT_TRUE(alone.admit(sequence, kPrompt));
    while (alone.length(sequence) < kContext) alone.decode();
    alone.drop(sequence);
  }

  const std::size_t token = 2 * options.shape.token_bytes();
  options.budget =
      2 * (kContext * token + 8192) + kContext / 2 * token;  // not for four, nor for three to the end
  const auto cache = make_kv_cache(GetParam(), options);
  ForcedBatch batch(engine, *cache);
  std::vector<int> reached(kSequences, kPrompt);
  int dropped = 0;
  for (int step = 0; step < 1000; ++step) {
    for (int sequence = 0; sequence < kSequences && batch.running() < cache->slots(); ++sequence) {
      const int length = reached[static_cast<std::size_t>(sequence)];
      if (batch.length(sequence) == 0 && length < kContext && !batch.admit(sequence, length)) break;
    }
    for (int sequence = kSequences; !batch.fits();) {  // the last gives way, and is computed again later
      --sequence;
      ASSERT_GE(sequence, 0);
      if (batch.length(sequence) == 0) continue;
      batch.drop(sequence);
      ++dropped;
    }
    if (batch.running() == 0) break;
    batch.decode();
    for (int sequence = 0; sequence < kSequences; ++sequence) {
      if (batch.length(sequence) == 0) continue;
      reached[static_cast<std::size_t>(sequence)] = batch.length(sequence);
      if (batch.length(sequence) == kContext) batch.drop(sequence);
    }
  }
  EXPECT_EQ(dropped > 0, GetParam() != KvPolicy::kStatic) << "static has fewer slots instead";
  ASSERT_EQ(batch.logits().size(), alone.logits().size());
  for (const auto& [where, want] : alone.logits()) {
    const auto got = batch.logits().find(where);
    ASSERT_NE(got, batch.logits().end());
    std::vector<float> copy = want, other = got->second;
    const auto width = static_cast<std::int64_t>(copy.size());
    EXPECT_LT(distance(View::of(other.data(), 1, width), View::of(copy.data(), 1, width)), 1e-4)
        << "sequence " << where.first << ", position " << where.second;
  }
}

}  // namespace
}  // namespace trisect::phi2
