// Book-keeping alone: the memory is static's, the records say that pages come and go. It exists to be
// measured: this is what "vAttention" amounts to when nothing is asked of the kernel.
#include <map>

#include "kernels/vattention/kv_cache_static.hpp"

namespace trisect::vattention {
namespace {

class TrackedKvCache : public StaticKvCache {
 public:
  explicit TrackedKvCache(const KvOptions& options)
      : StaticKvCache(options, Commit::kPopulate), page_bytes_(bytes_of(options.granule, options.device)) {}

 protected:
  void grow(int slot, int from, int to) override {
    StaticKvCache::grow(slot, from, to);
    const std::size_t end = pages(to);
    for (std::size_t page = pages(from); page < end; ++page) pages_[{slot, page}] = {next_page_++, true};
  }

  void drop(int slot, int length) override {
    StaticKvCache::drop(slot, length);
    pages_.erase(pages_.lower_bound({slot, 0}), pages_.lower_bound({slot + 1, 0}));
  }

  KvUsage memory() const override {
    KvUsage usage = StaticKvCache::memory();
    usage.claimed = 2 * page_bytes_ * pages_.size();
    return usage;
  }

 private:
  struct Page {
    std::size_t physical;
    bool mapped;
  };
  std::size_t pages(int tokens) const {
    return (static_cast<std::size_t>(tokens) * token_bytes_ + page_bytes_ - 1) / page_bytes_;
  }

  const std::size_t page_bytes_;
  std::map<std::pair<int, std::size_t>, Page>
      pages_;  // by slot and page of its keys; its values have as many
  std::size_t next_page_ = 0;
};

}  // namespace

std::unique_ptr<KvCache> make_tracked_kv_cache(const KvOptions& options) {
  return std::make_unique<TrackedKvCache>(options);
}

}  // namespace trisect::vattention
