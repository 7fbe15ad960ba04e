// Where keys and values live: one interface, and the ways to find memory for it that are compared.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "kernels/dense/attention.hpp"
#include "kernels/vattention/virtual_range.hpp"

namespace trisect::vattention {

/// What one token leaves behind.
struct KvShape {
  int layers = 0, heads = 0, head_dim = 0;
  Dtype dtype = Dtype::kBf16;

  /// Bytes of its keys, or its values, of one layer and of all.
  std::size_t row_bytes() const {
    return static_cast<std::size_t>(heads) * static_cast<std::size_t>(head_dim) * size_of(dtype);
  }
  std::size_t token_bytes() const { return static_cast<std::size_t>(layers) * row_bytes(); }
};

/// How memory is found.
enum class KvPolicy {
  kStatic,      ///< every slot has its maximum length from the start, touched
  kLazy,        ///< the same, not touched: Linux commits pages as they are written; not on CUDA
  kGrowing,     ///< a slot's memory doubles and is copied when it is full, and is freed with the sequence
  kPaged,       ///< blocks of 16 tokens from a pool, found through a table (PagedAttention, SOSP 2023)
  kVattention,  ///< addresses for the maximum length, memory for what the sequence has reached
  kTracked,     ///< kStatic with page records kept beside it: what is saved when only the books say so
};
std::string_view name_of(KvPolicy policy);         ///< "static", "lazy", ...
KvPolicy policy_from_name(std::string_view name);  ///< throws Error(kUsage) on an unknown name

/// On the CPU vattention's layers lie interleaved by runs of so many tokens: a whole run of one layer, then
/// of the next. On a GPU token by token.
inline constexpr int kRunTokens = 16;

struct KvOptions {
  KvShape shape;
  /// Whose memory it is. On CUDA, layer() is for kernels of the GPU: what it points to, a table included, is
  /// device memory.
  Device device = Device::kCpu;
  int slots = 1;   ///< sequences at a time, at most
  int tokens = 1;  ///< of a sequence, at most
  /// Bytes that may be committed, keys and values together. The static policies offer as many slots as fit.
  std::size_t budget = std::numeric_limits<std::size_t>::max();
  Granule granule = Granule::kSmall;
  /// Of paged and vattention: committed bytes that may stay behind when sequences end, for those that follow.
  std::size_t parked_budget = std::numeric_limits<std::size_t>::max();
  int block_tokens = 16;  ///< of paged
  /// Of vattention: how many tokens ahead of the sequence memory is committed at most (by whole runs: none
  /// for less than one), and whether a thread of its own does it while the step computes.
  int ahead_tokens = 16;
  bool background = true;
};

/// Bytes, keys and values together.
struct KvUsage {
  std::size_t reserved = 0;   ///< of address space
  std::size_t committed = 0;  ///< of memory behind it
  std::size_t used = 0;       ///< by tokens of running sequences
  std::size_t parked = 0;     ///< committed, but kept for sequences to come
  std::size_t peak = 0;       ///< the most that was committed so far, both places of a copy included
  std::size_t claimed = 0;    ///< what kTracked's books call committed; elsewhere the same as committed

  double utilisation() const {
    return committed == 0 ? 1.0 : static_cast<double>(used) / static_cast<double>(committed);
  }
  /// Internal fragmentation: committed for running sequences, without a token in it.
  std::size_t fragmentation() const { return committed - std::min(committed, used + parked); }
};

/// What memory management has cost so far. Foreground is time in acquire(), prepare() and release().
struct KvWork {
  std::uint64_t commits = 0, background_commits = 0, decommits = 0;
  std::size_t copied_bytes = 0;  ///< by kGrowing
  std::size_t wiped_bytes = 0;   ///< of earlier sequences' data
  double foreground_s = 0, background_s = 0;
};

/// Slots for sequences. One thread calls; what a policy does on another is its own affair. Memory that a
/// sequence was given reads as zero until it is written, whoever had it before. On CUDA that thread's
/// cuda::current_stream() must be the one whose kernels use the cache: zeros, copies and tables are queued
/// there, and memory goes back when what was queued before release() has run.
class KvCache {
 public:
  virtual ~KvCache() = default;
  KvCache(const KvCache&) = delete;
  KvCache& operator=(const KvCache&) = delete;

  /// A slot for a sequence of up to `max_tokens`. Throws Error: kEnvironment when all are taken, kUsage when
  /// it cannot fit.
  int acquire(int max_tokens);

  /// The sequence ends. Throws Error(kUsage) for a slot that is not taken.
  void release(int slot);

  /// Memory for rows about to be written: row i is position[i] of slot[i]. Rows of a slot are side by side
  /// and ascending, and go on from its end or rewrite what it has. Throws Error: kUsage for a gap, for a row
  /// beyond max_tokens or of a slot that is not taken; kEnvironment when memory or budget does not suffice.
  /// Then no sequence has become longer and the cache goes on serving what it has.
  void prepare(std::span<const std::int32_t> slot, std::span<const std::int32_t> position);

  /// Keys and values of one layer; valid until the next prepare(), on CUDA as long as the cache: what changes
  /// there is what it points to, so captured graphs may hold it.
  virtual dense::KvSpan layer(int index) const = 0;

  int slots() const { return static_cast<int>(sequences_.size()); }
  int length(int slot) const { return sequences_.at(static_cast<std::size_t>(slot)).length; }  ///< tokens

  KvUsage usage() const;
  KvWork work() const;

  /// For a scheduler: bytes that prepare() needs for a slot, or for one yet to be acquired (kNewSlot), to
  /// have `tokens` tokens, and bytes that can be had. A step fits when its demands together do.
  static constexpr int kNewSlot = -1;
  virtual std::size_t demand(int slot, int tokens) const = 0;
  virtual std::size_t available() const = 0;

  /// Waits until no work is left in the background.
  virtual void settle() const {}

  /// Bytes by the kernel's account, which usage().committed must agree with. See VirtualRange::resident().
  virtual std::size_t resident() const = 0;

 protected:
  struct Sequence {
    bool taken = false;
    int length = 0, max_tokens = 0;
  };

  explicit KvCache(const KvOptions& options, int slots);
  explicit KvCache(const KvOptions& options) : KvCache(options, options.slots) {}

  /// A free slot; there is one. The default takes the first.
  virtual int choose(int max_tokens);
  /// Memory for tokens [from, to) of a slot, from = its length < to.
  virtual void grow(int slot, int from, int to) = 0;
  /// A slot of `length` tokens ends.
  virtual void drop(int slot, int length) = 0;
  /// Everything but `used`; `claimed` and `peak` 0 stand for `committed`.
  virtual KvUsage memory() const = 0;
  virtual KvWork policy_work() const = 0;

  const Sequence& sequence(int slot) const { return sequences_[static_cast<std::size_t>(slot)]; }
  const KvOptions options_;
  const std::size_t token_bytes_;  ///< keys or values, all layers

 private:
  std::vector<Sequence> sequences_;
  double foreground_s_ = 0;
};

/// Throws Error: kUsage for impossible options, kEnvironment without the device, when addresses or memory
/// cannot be had or the budget does not hold a single sequence.
std::unique_ptr<KvCache> make_kv_cache(KvPolicy policy, const KvOptions& options);

std::unique_ptr<KvCache> make_static_kv_cache(const KvOptions& options, Commit how);
std::unique_ptr<KvCache> make_growing_kv_cache(const KvOptions& options);
std::unique_ptr<KvCache> make_paged_kv_cache(const KvOptions& options);
std::unique_ptr<KvCache> make_vattention_kv_cache(const KvOptions& options);
std::unique_ptr<KvCache> make_tracked_kv_cache(const KvOptions& options);

}  // namespace trisect::vattention
