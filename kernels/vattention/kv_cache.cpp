#include "kernels/vattention/kv_cache.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "kernels/core/error.hpp"

namespace trisect::vattention {
namespace {

constexpr std::array<std::pair<KvPolicy, std::string_view>, 6> kNames{{{KvPolicy::kStatic, "static"},
                                                                       {KvPolicy::kLazy, "lazy"},
                                                                       {KvPolicy::kGrowing, "growing"},
                                                                       {KvPolicy::kPaged, "paged"},
                                                                       {KvPolicy::kVattention, "vattention"},
                                                                       {KvPolicy::kTracked, "tracked"}}};

/// Adds the time until its end to a sum.
class Stopwatch {
 public:
  explicit Stopwatch(double& sum) : sum_(sum) {}
  ~Stopwatch() { sum_ += std::chrono::duration<double>(Clock::now() - start_).count(); }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  using Clock = std::chrono::steady_clock;
  double& sum_;
  Clock::time_point start_ = Clock::now();
};

}  // namespace

std::string_view name_of(KvPolicy policy) {
  return std::find_if(kNames.begin(), kNames.end(), [&](const auto& one) { return one.first == policy; })
      ->second;
}

KvPolicy policy_from_name(std::string_view name) {
  std::string known;
  for (const auto& [policy, its_name] : kNames) {
    if (its_name == name) return policy;
    known += fmt::format(" {}", its_name);
  }
  usage_error("unknown KV cache '{}': choose one of{}", name, known);
}

KvCache::KvCache(const KvOptions& options, int slots)
    : options_(options),
      token_bytes_(options.shape.token_bytes()),
      sequences_(static_cast<std::size_t>(slots)) {}

int KvCache::acquire(int max_tokens) {
  const Stopwatch stopwatch(foreground_s_);
  if (max_tokens < 1 || max_tokens > options_.tokens) {
    usage_error("a sequence of {} tokens does not fit a KV slot of 1 to {}", max_tokens, options_.tokens);
  }
  if (std::all_of(sequences_.begin(), sequences_.end(), [](const Sequence& one) { return one.taken; })) {
    environment_error("all {} KV slots are taken", sequences_.size());
  }
  const int slot = choose(max_tokens);
  sequences_[static_cast<std::size_t>(slot)] = {true, 0, max_tokens};
  return slot;
}

int KvCache::choose(int) {
  const auto free =
      std::find_if(sequences_.begin(), sequences_.end(), [](const Sequence& one) { return !one.taken; });
  return static_cast<int>(free - sequences_.begin());
}

void KvCache::release(int slot) {
  const Stopwatch stopwatch(foreground_s_);
  if (slot < 0 || slot >= slots() || !sequence(slot).taken) usage_error("KV slot {} is not taken", slot);
  const int length = std::exchange(sequences_[static_cast<std::size_t>(slot)], {}).length;
  drop(slot, length);
}

void KvCache::prepare(std::span<const std::int32_t> slot, std::span<const std::int32_t> position) {
  const Stopwatch stopwatch(foreground_s_);
  const auto each_slot = [&](const auto& visit) {  // visit(slot, tokens it will have)
    for (std::size_t first = 0, last = 0; first < slot.size(); first = last) {
      while (last < slot.size() && slot[last] == slot[first]) ++last;
      visit(slot[first], position[last - 1] + 1);
    }
  };
  for (std::size_t r = 0; r < slot.size(); ++r) {
    if (slot[r] < 0 || slot[r] >= slots() || !sequence(slot[r]).taken)
      usage_error("KV slot {} is not taken", slot[r]);
    const Sequence& to = sequence(slot[r]);
    const bool goes_on = r > 0 && slot[r - 1] == slot[r] && position[r] == position[r - 1] + 1;
    if (position[r] < 0 || (position[r] > to.length && !goes_on)) {
      usage_error("position {} of KV slot {} would leave a gap: it has {} tokens", position[r], slot[r],
                  to.length);
    }
    if (position[r] >= to.max_tokens) {
      usage_error("position {} is beyond the {} tokens that KV slot {} was acquired for", position[r],
                  to.max_tokens, slot[r]);
    }
  }
  each_slot([&](int s, int tokens) {
    if (tokens > sequence(s).length) grow(s, sequence(s).length, tokens);
  });
  each_slot([&](int s, int tokens) {
    int& length = sequences_[static_cast<std::size_t>(s)].length;
    length = std::max(length, tokens);
  });
}

KvUsage KvCache::usage() const {
  KvUsage usage = memory();
  for (const Sequence& one : sequences_)
    usage.used += 2 * token_bytes_ * static_cast<std::size_t>(one.length);
  if (usage.claimed == 0) usage.claimed = usage.committed;
  if (usage.peak == 0) usage.peak = usage.committed;
  return usage;
}

KvWork KvCache::work() const {
  KvWork work = policy_work();
  work.foreground_s = foreground_s_;
  return work;
}

std::unique_ptr<KvCache> make_kv_cache(KvPolicy policy, const KvOptions& options) {
  const KvShape& shape = options.shape;
  for (const auto& [name, value] : {std::pair{"layers", shape.layers},
                                    {"heads", shape.heads},
                                    {"head_dim", shape.head_dim},
                                    {"slots", options.slots},
                                    {"tokens", options.tokens},
                                    {"block_tokens", options.block_tokens}}) {
    if (value < 1) usage_error("a KV cache with {} {}: at least 1", name, value);
  }
  if (options.ahead_tokens < 0)
    usage_error("a KV cache with ahead_tokens {}: at least 0", options.ahead_tokens);
  if (shape.dtype == Dtype::kI32) usage_error("a KV cache of i32: choose f32, bf16 or f16");
  switch (policy) {
    case KvPolicy::kStatic:
      return make_static_kv_cache(options, Commit::kPopulate);
    case KvPolicy::kLazy:
      return make_static_kv_cache(options, Commit::kOnFirstWrite);
    case KvPolicy::kGrowing:
      return make_growing_kv_cache(options);
    case KvPolicy::kPaged:
      return make_paged_kv_cache(options);
    case KvPolicy::kVattention:
      return make_vattention_kv_cache(options);
    case KvPolicy::kTracked:
      return make_tracked_kv_cache(options);
  }
  usage_error("unknown KV cache");
}

}  // namespace trisect::vattention
