// Blocks of a few tokens from one pool: [block][layer][token][heads * head_dim]. A block lies where it
// happens to; the table says where. The lowest free block goes first, so that what is committed stays
// together.
#include <algorithm>
#include <functional>
#include <numeric>
#include <queue>
#include <utility>

#include "kernels/core/error.hpp"
#include "kernels/vattention/kv_cache.hpp"
#include "kernels/vattention/kv_table.hpp"

namespace trisect::vattention {
namespace {

int blocks_in_pool(const KvOptions& options, int blocks_of_slot) {
  const std::size_t block = 2 * options.shape.token_bytes() * static_cast<std::size_t>(options.block_tokens);
  const std::size_t fit = options.budget / block;
  if (fit == 0) {
    environment_error("a budget of {} bytes does not hold one KV block of {} tokens, which takes {}",
                      options.budget, options.block_tokens, block);
  }
  const std::size_t all = static_cast<std::size_t>(options.slots) * static_cast<std::size_t>(blocks_of_slot);
  return static_cast<int>(std::min({fit, all, std::size_t{INT32_MAX}}));
}

class PagedKvCache : public KvCache {
 public:
  explicit PagedKvCache(const KvOptions& options)
      : KvCache(options),
        blocks_of_slot_((options.tokens + options.block_tokens - 1) / options.block_tokens),
        block_bytes_(token_bytes_ * static_cast<std::size_t>(options.block_tokens)),
        table_(options.device, static_cast<std::size_t>(slots()) * static_cast<std::size_t>(blocks_of_slot_)),
        held_(static_cast<std::size_t>(slots()), 0),
        pool_(blocks_in_pool(options, blocks_of_slot_)),
        keys_(1, block_bytes_ * static_cast<std::size_t>(pool_), options.granule, options.device),
        values_(1, block_bytes_ * static_cast<std::size_t>(pool_), options.granule, options.device),
        granules_(keys_.stride() / keys_.granule()) {
    std::vector<std::int32_t> all(static_cast<std::size_t>(pool_));
    std::iota(all.begin(), all.end(), 0);
    free_ = Free(std::greater<>(), std::move(all));
  }

  dense::KvSpan layer(int index) const override {
    const std::size_t row = options_.shape.row_bytes();
    const std::size_t offset =
        row * static_cast<std::size_t>(options_.block_tokens) * static_cast<std::size_t>(index);
    return {.k = keys_.segment(0) + offset,
            .v = values_.segment(0) + offset,
            .slot = static_cast<std::int64_t>(block_bytes_),
            .token = static_cast<std::int64_t>(row),
            .dtype = options_.shape.dtype,
            .table = table_.data(),
            .table_stride = blocks_of_slot_,
            .page_tokens = options_.block_tokens};
  }

  std::size_t demand(int slot, int tokens) const override {
    const int have = slot == kNewSlot ? 0 : held_[static_cast<std::size_t>(slot)];
    return 2 * block_bytes_ * static_cast<std::size_t>(std::max(0, blocks(tokens) - have));
  }
  std::size_t available() const override { return 2 * block_bytes_ * free_.size(); }
  std::size_t resident() const override { return keys_.resident() + values_.resident(); }

 protected:
  void grow(int slot, int, int to) override {
    int& held = held_[static_cast<std::size_t>(slot)];
    const int want = blocks(to), had = held;
    if (want - held > static_cast<int>(free_.size())) {
      environment_error(
          "the KV pool of {} blocks of {} tokens has {} left; a sequence that grows to {} tokens needs {} "
          "more",
          pool_, options_.block_tokens, free_.size(), to, want - held);
    }
    try {
      for (; held < want; ++held) {
        take(free_.top());
        table_.set(entry(slot, held), free_.top());
        free_.pop();
      }
    } catch (...) {  // others can use what it got of what it cannot have as a whole
      shrink(slot, had);
      throw;
    }
    table_.publish();
  }

  void drop(int slot, int) override { shrink(slot, 0); }

  KvUsage memory() const override {
    return {.reserved = keys_.reserved() + values_.reserved(),
            .committed = 2 * keys_.granule() * committed_,
            .parked = 2 * keys_.granule() * parked_,
            .peak = 2 * keys_.granule() * peak_};
  }
  KvWork policy_work() const override { return work_; }

 private:
  using Free = std::priority_queue<std::int32_t, std::vector<std::int32_t>, std::greater<>>;
  struct GranuleState {
    int users = 0;  // blocks that lie in it
    bool committed = false;
  };

  int blocks(int tokens) const { return (tokens + options_.block_tokens - 1) / options_.block_tokens; }
  std::size_t entry(int slot, int index) const {
    return static_cast<std::size_t>(slot) * static_cast<std::size_t>(blocks_of_slot_) +
           static_cast<std::size_t>(index);
  }

  /// Gives up all blocks of a slot but its first `keep`.
  void shrink(int slot, int keep) {
    int& held = held_[static_cast<std::size_t>(slot)];
    std::vector<std::size_t> unused;  // granules in which no block is left
    for (int i = keep; i < held; ++i) {
      each_granule(table_[entry(slot, i)], [&](std::size_t number, std::size_t, std::size_t) {
        if (--granules_[number].users == 0) unused.push_back(number);
      });
      free_.push(table_[entry(slot, i)]);
    }
    held = keep;
    std::sort(unused.begin(), unused.end());
    park_or_decommit(unused);
  }

  /// body(granule's number, first byte, last byte) for the part of each granule that a block covers.
  template <class Body>
  void each_granule(std::int32_t block, const Body& body) {
    const std::size_t first = block_bytes_ * static_cast<std::size_t>(block), last = first + block_bytes_;
    for (std::size_t at = first; at < last;) {
      const std::size_t number = at / keys_.granule(), end = std::min(last, (number + 1) * keys_.granule());
      body(number, at, end);
      at = end;
    }
  }

  void take(std::int32_t block) {
    std::size_t first = 0, last = 0;  // what has no memory yet
    each_granule(block, [&](std::size_t number, std::size_t, std::size_t) {
      if (granules_[number].committed) return;
      if (last == 0) first = number;
      last = number + 1;
    });
    // Granules in between that have memory keep their content: to commit is to touch.
    if (last > 0) commit(first, last);
    each_granule(block, [&](std::size_t number, std::size_t from, std::size_t to) {
      GranuleState& granule = granules_[number];
      if (std::exchange(granule.committed, true)) {  // someone else's data may be there
        keys_.zero(keys_.segment(0) + from, to - from);
        values_.zero(values_.segment(0) + from, to - from);
        work_.wiped_bytes += 2 * (to - from);
        parked_ -= granule.users == 0 ? 1 : 0;
      } else {
        ++committed_;
      }
      ++granule.users;
    });
    peak_ = std::max(peak_, committed_);
  }

  void commit(std::size_t first, std::size_t last) {
    const std::size_t granule = keys_.granule();
    keys_.commit(0, first * granule, last * granule);
    try {
      values_.commit(0, first * granule, last * granule);
    } catch (...) {
      for (std::size_t number = first; number < last; ++number) {
        if (!granules_[number].committed) keys_.decommit(0, number * granule, (number + 1) * granule);
      }
      throw;
    }
    work_.commits += 2;
  }

  /// The lowest are parked, as far as the budget allows: free blocks are taken from below. The others go back
  /// to the system, neighbours in one call; until the kernel has taken them they are parked too.
  void park_or_decommit(std::span<const std::size_t> unused) {
    const std::size_t allowed = options_.parked_budget / (2 * keys_.granule());
    const std::size_t park = std::min(allowed - std::min(allowed, parked_), unused.size());
    parked_ += unused.size();
    for (std::size_t first = park, last = first; first < unused.size(); first = last) {
      while (last < unused.size() && unused[last] == unused[first] + (last - first)) ++last;
      const std::size_t begin = unused[first] * keys_.granule(),
                        end = begin + (last - first) * keys_.granule();
      keys_.decommit(0, begin, end);
      values_.decommit(0, begin, end);
      for (std::size_t i = first; i < last; ++i) granules_[unused[i]].committed = false;
      parked_ -= last - first;
      committed_ -= last - first;
      work_.decommits += 2;
    }
  }

  const int blocks_of_slot_;
  const std::size_t block_bytes_;  // of keys or values
  KvTable table_;                  // [slots][blocks_of_slot_]
  std::vector<int> held_;          // by slot: blocks
  const int pool_;                 // blocks
  VirtualRange keys_, values_;
  std::vector<GranuleState> granules_;  // of keys; those of values are the same
  Free free_;
  std::size_t committed_ = 0, parked_ = 0, peak_ = 0;  // granules
  KvWork work_;
};

}  // namespace

std::unique_ptr<KvCache> make_paged_kv_cache(const KvOptions& options) {
  return std::make_unique<PagedKvCache>(options);
}

}  // namespace trisect::vattention
