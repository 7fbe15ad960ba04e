// The static cache, for those that build on it.
#pragma once

#include "kernels/vattention/kv_cache.hpp"

namespace trisect::vattention {

class StaticKvCache : public KvCache {
 public:
  StaticKvCache(const KvOptions& options, Commit how);

  dense::KvSpan layer(int index) const override;
  std::size_t demand(int slot, int tokens) const override;
  std::size_t available() const override;
  std::size_t resident() const override;

 protected:
  void grow(int slot, int from, int to) override;
  void drop(int slot, int length) override;
  KvUsage memory() const override;
  KvWork policy_work() const override { return work_; }

 private:
  const Commit how_;
  const std::size_t layer_bytes_;
  std::vector<int> stale_;  // by slot: tokens that earlier sequences have written
  VirtualRange keys_, values_;
  KvWork work_;
};

}  // namespace trisect::vattention
