// Twice the memory whenever it is full: [token][layer][heads * head_dim] of a slot in one piece that moves.
// Each slot has two places; while it is copied from one to the other both are committed.
#include <algorithm>

#include "kernels/core/error.hpp"
#include "kernels/vattention/kv_cache.hpp"
#include "kernels/vattention/kv_table.hpp"

namespace trisect::vattention {
namespace {

class GrowingKvCache : public KvCache {
 public:
  explicit GrowingKvCache(const KvOptions& options)
      : KvCache(options),
        place_(options.device, static_cast<std::size_t>(slots())),
        capacity_(static_cast<std::size_t>(slots()), 0),
        keys_(2 * slots(), token_bytes_ * static_cast<std::size_t>(options.tokens), options.granule,
              options.device),
        values_(2 * slots(), token_bytes_ * static_cast<std::size_t>(options.tokens), options.granule,
                options.device) {
    for (int slot = 0; slot < slots(); ++slot) place_.set(static_cast<std::size_t>(slot), 2 * slot);
    place_.publish();
  }

  dense::KvSpan layer(int index) const override {
    const std::size_t offset = options_.shape.row_bytes() * static_cast<std::size_t>(index);
    return {.k = keys_.segment(0) + offset,
            .v = values_.segment(0) + offset,
            .slot = static_cast<std::int64_t>(keys_.stride()),
            .token = static_cast<std::int64_t>(token_bytes_),
            .dtype = options_.shape.dtype,
            .table = place_.data(),
            .table_stride = 1,
            .page_tokens = options_.tokens};
  }

  std::size_t demand(int slot, int tokens) const override {
    const int capacity = slot == kNewSlot ? 0 : capacity_[static_cast<std::size_t>(slot)];
    return tokens <= capacity ? 0 : bytes(wanted(capacity, tokens));
  }
  std::size_t available() const override { return options_.budget - committed_; }
  std::size_t resident() const override { return keys_.resident() + values_.resident(); }

 protected:
  void grow(int slot, int from, int to) override {
    const auto at = static_cast<std::size_t>(slot);
    if (to <= capacity_[at]) return;
    const int capacity = wanted(capacity_[at], to), old_place = place_[at], new_place = old_place ^ 1;
    const std::size_t more = bytes(capacity);
    if (more > available()) {
      environment_error(
          "the KV budget of {} bytes has {} left; a sequence that grows to {} tokens needs {} more",
          options_.budget, available(), to, more);
    }
    keys_.commit(new_place, 0, more / 2);
    try {
      values_.commit(new_place, 0, more / 2);
    } catch (...) {
      keys_.decommit(new_place, 0, more / 2);
      throw;
    }
    committed_ += more;
    work_.commits += 2;
    peak_ = std::max(peak_, committed_);
    const std::size_t live = token_bytes_ * static_cast<std::size_t>(from);
    keys_.copy(keys_.segment(new_place), keys_.segment(old_place), live);
    values_.copy(values_.segment(new_place), values_.segment(old_place), live);
    work_.copied_bytes += 2 * live;
    free_place(slot);
    place_.set(at, new_place);
    place_.publish();
    capacity_[at] = capacity;
  }

  void drop(int slot, int) override { free_place(slot); }

  KvUsage memory() const override {
    return {.reserved = keys_.reserved() + values_.reserved(), .committed = committed_, .peak = peak_};
  }
  KvWork policy_work() const override { return work_; }

 private:
  static constexpr int kFirstTokens = 16;

  int wanted(int capacity, int tokens) const {
    return std::min(std::max({tokens, 2 * capacity, kFirstTokens}), options_.tokens);
  }
  /// Of keys and values.
  std::size_t bytes(int tokens) const {
    return 2 * keys_.round_up(token_bytes_ * static_cast<std::size_t>(tokens));
  }

  void free_place(int slot) {
    const auto at = static_cast<std::size_t>(slot);
    const std::size_t held = bytes(std::exchange(capacity_[at], 0));
    if (held == 0) return;
    keys_.decommit(place_[at], 0, held / 2);
    values_.decommit(place_[at], 0, held / 2);
    committed_ -= held;
    work_.decommits += 2;
  }

  KvTable place_;              // by slot: which of the segments
  std::vector<int> capacity_;  // by slot, tokens
  VirtualRange keys_, values_;
  std::size_t committed_ = 0, peak_ = 0;
  KvWork work_;
};

}  // namespace

std::unique_ptr<KvCache> make_growing_kv_cache(const KvOptions& options) {
  return std::make_unique<GrowingKvCache>(options);
}

}  // namespace trisect::vattention
