// Maximum length for everyone: [slot][layer][token][heads * head_dim].
#include "kernels/vattention/kv_cache_static.hpp"

#include <algorithm>

#include "kernels/core/error.hpp"

namespace trisect::vattention {
namespace {

std::size_t slot_bytes(const KvOptions& options) {
  return options.shape.token_bytes() * static_cast<std::size_t>(options.tokens);
}

int slots_within_budget(const KvOptions& options) {
  const auto round = [&](std::size_t bytes) {
    const std::size_t granule = bytes_of(options.granule, options.device);
    return (bytes + granule - 1) / granule * granule;
  };
  const std::size_t fit = options.budget / (2 * round(slot_bytes(options)));
  if (fit == 0) {
    environment_error("a budget of {} bytes does not hold one static KV slot of {} tokens, which takes {}",
                      options.budget, options.tokens, 2 * round(slot_bytes(options)));
  }
  return static_cast<int>(std::min<std::size_t>(fit, static_cast<std::size_t>(options.slots)));
}

}  // namespace

StaticKvCache::StaticKvCache(const KvOptions& options, Commit how)
    : KvCache(options, slots_within_budget(options)),
      how_(how),
      layer_bytes_(options.shape.row_bytes() * static_cast<std::size_t>(options.tokens)),
      stale_(static_cast<std::size_t>(slots()), 0),
      keys_(slots(), slot_bytes(options), options.granule, options.device),
      values_(slots(), slot_bytes(options), options.granule, options.device) {
  for (int slot = 0; slot < slots(); ++slot) {
    keys_.commit(slot, 0, keys_.stride(), how);
    values_.commit(slot, 0, values_.stride(), how);
    work_.commits += 2;
  }
}

dense::KvSpan StaticKvCache::layer(int index) const {
  const std::size_t offset = layer_bytes_ * static_cast<std::size_t>(index);
  return {.k = keys_.segment(0) + offset,
          .v = values_.segment(0) + offset,
          .slot = static_cast<std::int64_t>(keys_.stride()),
          .token = static_cast<std::int64_t>(options_.shape.row_bytes()),
          .dtype = options_.shape.dtype};
}

std::size_t StaticKvCache::demand(int slot, int) const { return slot == kNewSlot ? 2 * keys_.stride() : 0; }

std::size_t StaticKvCache::available() const {
  std::size_t free = 0;
  for (int slot = 0; slot < slots(); ++slot) free += sequence(slot).taken ? 0 : 2 * keys_.stride();
  return free;
}

std::size_t StaticKvCache::resident() const { return keys_.resident() + values_.resident(); }

void StaticKvCache::grow(int slot, int from, int to) {
  const int stale = std::min(stale_[static_cast<std::size_t>(slot)], to);
  if (from >= stale) return;
  const std::size_t row = options_.shape.row_bytes();
  const std::size_t first = row * static_cast<std::size_t>(from),
                    bytes = row * static_cast<std::size_t>(stale - from);
  for (int layer = 0; layer < options_.shape.layers; ++layer) {
    const std::size_t offset = layer_bytes_ * static_cast<std::size_t>(layer) + first;
    keys_.zero(keys_.segment(slot) + offset, bytes);
    values_.zero(values_.segment(slot) + offset, bytes);
    work_.wiped_bytes += 2 * bytes;
  }
}

void StaticKvCache::drop(int slot, int length) {
  int& stale = stale_[static_cast<std::size_t>(slot)];
  stale = std::max(stale, length);
}

KvUsage StaticKvCache::memory() const {
  const std::size_t all = keys_.reserved() + values_.reserved();
  if (how_ != Commit::kOnFirstWrite) return {.reserved = all, .committed = all, .parked = available()};
  // Only the kernel knows what was written, and not by whom: nothing is called parked.
  return {.reserved = all, .committed = resident()};
}

std::unique_ptr<KvCache> make_static_kv_cache(const KvOptions& options, Commit how) {
  return std::make_unique<StaticKvCache>(options, how);
}

}  // namespace trisect::vattention
