// A slot is a stretch of addresses for the maximum length, [run][layer][token][heads * head_dim], with
// memory behind what the sequence has reached and a little ahead of it. Layers lie interleaved, so that one
// step of growth is two commits (keys, values) and not two for each layer. On the CPU they do so by
// runs of a few tokens: one row alone ends just when the processor's prefetching has begun, and it goes on
// into what belongs to another layer.
#include "kernels/vattention/ahead_worker.hpp"

namespace trisect::vattention {
namespace {

class VattentionKvCache : public KvCache {
 public:
  explicit VattentionKvCache(const KvOptions& options)
      : KvCache(options),
        run_(options.device == Device::kCpu ? kRunTokens : 1),
        memory_(options_, slots(), bytes(options.tokens)),
        worker_(memory_, options.background) {}

  dense::KvSpan layer(int index) const override {
    const auto run = static_cast<std::size_t>(run_);
    const std::size_t row = options_.shape.row_bytes(), offset = row * run * static_cast<std::size_t>(index);
    dense::KvSpan span{.k = memory_.keys().segment(0) + offset,
                       .v = memory_.values().segment(0) + offset,
                       .slot = static_cast<std::int64_t>(memory_.keys().stride()),
                       .token = static_cast<std::int64_t>(run_ > 1 ? row : token_bytes_),
                       .dtype = options_.shape.dtype};
    if (run_ > 1) {
      span.page_tokens = run_;
      span.page = static_cast<std::int64_t>(token_bytes_ * run);
    }
    return span;
  }

  /// What runs ahead or is parked can be had: only what sequences have reached counts.
  std::size_t demand(int slot, int tokens) const override {
    const std::size_t have = slot == kNewSlot ? 0 : needed(length(slot));
    return 2 * (std::max(needed(tokens), have) - have);
  }
  std::size_t available() const override {
    std::size_t held = 0;
    for (int slot = 0; slot < slots(); ++slot) held += 2 * needed(length(slot));
    return options_.budget - held;
  }

  void settle() const override {
    Lock lock = memory_.lock();
    worker_.settle(lock);
  }

  std::size_t resident() const override { return memory_.keys().resident() + memory_.values().resident(); }

 protected:
  /// The least memory that holds the whole sequence, else the most there is.
  int choose(int max_tokens) override {
    Lock lock = memory_.lock();
    const std::size_t want = needed(max_tokens);
    int best = -1;
    for (int slot = 0; slot < slots(); ++slot) {
      if (sequence(slot).taken) continue;
      if (best < 0) {
        best = slot;
        continue;
      }
      const std::size_t mine = memory_.slot(slot).committed, its = memory_.slot(best).committed;
      if (mine >= want ? its < want || mine < its : mine > its) best = slot;
    }
    memory_.await(lock, best);
    memory_.slot(best).clean = 0;
    return best;
  }

  void grow(int slot, int, int to) override {
    Lock lock = memory_.lock();
    worker_.report(lock);
    SlotMemory::Slot& it = memory_.slot(slot);
    it.needed = needed(to);
    const std::size_t ahead = needed(ahead_of(slot, to, options_.ahead_tokens));
    if (it.clean < it.needed) {
      memory_.await(lock, slot);
      // Without a worker, ahead in one go: a call for every few tokens instead of each.
      if (it.clean < it.needed) {
        const bool in_one_go = !options_.background && memory_.has_room(slot, ahead);
        memory_.raise(lock, slot, in_one_go ? ahead : it.needed, SlotMemory::Whose::kSequence);
      }
    }
    // In halves of what lies ahead, or runs: a commit for every few tokens, and the worker sleeps in between.
    const int half = std::max(options_.ahead_tokens / 2, run_);
    if (it.clean < needed(ahead_of(slot, to, half))) it.target = ahead;
    it.target = std::max(it.target, it.needed);
    worker_.hand_over(lock);
  }

  void drop(int slot, int length) override {
    Lock lock = memory_.lock();
    memory_.await(lock, slot);
    SlotMemory::Slot& it = memory_.slot(slot);
    it.stale = std::max(it.stale, std::min(it.committed, bytes(length)));
    it.last_use = memory_.keys().now();
    it.clean = it.needed = it.target = 0;
    worker_.hand_over(lock);
  }

  KvUsage memory() const override {
    const Lock lock = memory_.lock();
    return memory_.usage();
  }
  KvWork policy_work() const override {
    const Lock lock = memory_.lock();
    return memory_.work();
  }

 private:
  using Lock = SlotMemory::Lock;

  /// Of keys or values: up to the end of the run that has the last of `tokens`.
  std::size_t bytes(int tokens) const {
    return token_bytes_ * static_cast<std::size_t>((tokens + run_ - 1) / run_ * run_);
  }
  std::size_t needed(int tokens) const { return memory_.keys().round_up(bytes(tokens)); }

  /// Tokens that a slot of `to` has memory for when it has some for at most `ahead` more: whole runs.
  int ahead_of(int slot, int to, int ahead) const {
    return std::min(std::max(to, (to + ahead) / run_ * run_), sequence(slot).max_tokens);
  }

  const int run_;  // tokens of a layer side by side
  SlotMemory memory_;
  AheadWorker worker_;
};

}  // namespace

std::unique_ptr<KvCache> make_vattention_kv_cache(const KvOptions& options) {
  return std::make_unique<VattentionKvCache>(options);
}

}  // namespace trisect::vattention
