#include <algorithm>
#include <vector>

#include "integration/phi2/engine/kv_cache.hpp"
#include "kernels/core/buffer.hpp"
#include "kernels/core/error.hpp"

namespace trisect::phi2 {
namespace {

class StaticKvCache : public KvCache {
 public:
  StaticKvCache(const Config& config, Dtype dtype, int slots, int tokens)
      : tokens_(tokens),
        token_bytes_(static_cast<std::size_t>(config.hidden) * size_of(dtype)),
        layer_bytes_(token_bytes_ * static_cast<std::size_t>(tokens)),
        slot_bytes_(layer_bytes_ * static_cast<std::size_t>(config.layers)),
        dtype_(dtype),
        keys_(slot_bytes_ * static_cast<std::size_t>(slots)),
        values_(slot_bytes_ * static_cast<std::size_t>(slots)),
        length_(static_cast<std::size_t>(slots), kFree) {}

  int acquire(int max_tokens) override {
    if (max_tokens > tokens_) usage_error("a sequence of {} tokens does not fit a KV slot of {}", max_tokens, tokens_);
    const auto free = std::find(length_.begin(), length_.end(), kFree);
    if (free == length_.end()) environment_error("all {} KV slots are taken", length_.size());
    *free = 0;
    return static_cast<int>(free - length_.begin());
  }

  void release(int slot) override { length_.at(static_cast<std::size_t>(slot)) = kFree; }

  void prepare(const Rows& rows) override {
    for (std::size_t r = 0; r < rows.slot.size(); ++r) {
      int& length = length_.at(static_cast<std::size_t>(rows.slot[r]));
      if (rows.position[r] >= tokens_) {
        usage_error("position {} is beyond the KV slot of {} tokens", rows.position[r], tokens_);
      }
      length = rows.position[r] + 1;
    }
  }

  dense::KvSpan layer(int index) const override {
    const std::size_t offset = layer_bytes_ * static_cast<std::size_t>(index);
    return {.k = keys_.data() + offset,
            .v = values_.data() + offset,
            .slot = static_cast<std::int64_t>(slot_bytes_),
            .token = static_cast<std::int64_t>(token_bytes_),
            .dtype = dtype_};
  }

  KvUsage usage() const override {
    std::size_t live = 0;
    for (const int length : length_) live += static_cast<std::size_t>(std::max(length, 0));
    const std::size_t all = keys_.bytes() + values_.bytes();
    return {all, all, 2 * live * slot_bytes_ / static_cast<std::size_t>(tokens_)};
  }

 private:
  static constexpr int kFree = -1;

  int tokens_;
  std::size_t token_bytes_, layer_bytes_, slot_bytes_;
  Dtype dtype_;
  Buffer keys_, values_;
  std::vector<int> length_;  // tokens written, or kFree
};

}  // namespace

std::unique_ptr<KvCache> make_static_kv_cache(const Config& config, Dtype dtype, int slots, int tokens) {
  return std::make_unique<StaticKvCache>(config, dtype, slots, tokens);
}

void append(const dense::KvSpan& kv, const Rows& rows, const View& keys, const View& values) {
#pragma omp parallel for schedule(static) if (rows.count() > 1)
  for (int r = 0; r < rows.count(); ++r) {
    const auto at = static_cast<std::size_t>(r);
    const std::int64_t offset = rows.slot[at] * kv.slot + rows.position[at] * kv.token;
    const auto write = [&](const std::byte* base, const View& from) {
      convert(from.row<float>(r), Dtype::kF32, const_cast<std::byte*>(base) + offset, kv.dtype,
              static_cast<std::size_t>(from.cols));
    };
    write(kv.k, keys);
    write(kv.v, values);
  }
}

}  // namespace trisect::phi2
