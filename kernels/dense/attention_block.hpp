// One query over one block of keys: what attention over single rows is made of.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/core/threads.hpp"
#include "kernels/dense/attention.hpp"

namespace trisect::dense {

inline constexpr int kBlockKeys = 256;  ///< at most
inline constexpr int kGroup = 4;        ///< tokens that are computed together

/// Some heads of a query against a block of keys, and where the block's results go.
struct RowBlock {
  const float* q = nullptr;
  std::int64_t offset[kBlockKeys] =
      {};  ///< of the block's tokens, from the bases of K and V to the first head
  int keys = 0, heads = 0;
  float* scores = nullptr;   ///< scratch, [groups][heads][kGroup]
  float* pairs = nullptr;    ///< scratch, [heads * head_dim]
  float* of_lane = nullptr;  ///< scratch, [heads][kGroup]
  /// Results for each head: the largest score, the sum of exp(score - largest), and the sum of values so
  /// weighted.
  float *largest = nullptr, *total = nullptr, *sums = nullptr;

  int groups() const { return (keys + kGroup - 1) / kGroup; }
  /// The number of a group's i-th token. A group takes one of each quarter of the block: four places that are
  /// each read on and on is what the processor's own prefetching follows.
  int number(int group, int i) const { return i * groups() + group; }
  /// Where it is. One that would lie beyond the block is the last token once more.
  std::int64_t token(int group, int i) const { return offset[std::min(number(group, i), keys - 1)]; }
};

/// Asks for the rows that the processor's own prefetching does not come upon: those that do not follow the
/// row before them in memory, as where a page ends, or the keys, or the block. Into the second-level cache.
class FetchAhead {
 public:
  FetchAhead(const KvSpan& kv, std::int64_t head_bytes) : kv_(kv), head_bytes_(head_bytes) {}

  /// `next` is what this thread does after `block`, or null.
  void begin(const RowBlock& block, const RowBlock* next) { block_ = &block, next_ = next; }

  /// Group `group` of the block's keys, then values, is being read.
  void reached(int group) {
    const int groups = block_->groups();
    const bool is_last_keys = group + 1 == groups, is_last = group + 1 == 2 * groups;
    const RowBlock* const then = is_last ? next_ : block_;
    const int within = is_last || is_last_keys ? 0 : (group + 1) % groups;
    const std::byte* const base = group + 1 < groups || is_last ? kv_.k : kv_.v;
    rows_ = 0;
    for (int i = 0; i < kGroup && then != nullptr; ++i) {
      const std::int64_t step = then->token(within, i) - block_->token(group % groups, i);
      if (is_last || is_last_keys || (step != 0 && step != block_->heads * head_bytes_))
        at_[rows_++] = base + then->token(within, i);
    }
  }

  /// Heads of a group are being computed: asks for theirs.
  void tick(int head, int heads) const {
    for (int row = 0; row < rows_; ++row) {
      const std::byte* const end = at_[row] + (head + heads) * head_bytes_;
      for (const std::byte* line = at_[row] + head * head_bytes_; line < end; line += kLine)
        __builtin_prefetch(line, 0, 2);
    }
  }

 private:
  static constexpr std::int64_t kLine = 64;

  const KvSpan& kv_;
  const std::int64_t head_bytes_;
  const RowBlock *block_ = nullptr, *next_ = nullptr;
  int rows_ = 0;
  const std::byte* at_[kGroup] = {};
};

/// Writes the block's results. The type is the cache's.
void attend_block(int head_dim, const KvSpan& kv, const RowBlock& block, FetchAhead& ahead);

/// Where the results of one block of one row lie.
struct Partials {
  float* base;
  std::int64_t heads, width;

  static constexpr std::int64_t kApart = kBytesApart / sizeof(float);
  std::int64_t of_block() const { return 2 * heads + width + kApart; }
  float* largest(int block) const { return base + block * of_block(); }
  float* total(int block) const { return largest(block) + heads; }
  float* sums(int block) const { return total(block) + heads; }
};

/// One head of a row, whose blocks are [first, last): out = the mean of its values.
void merge_blocks(const Partials& partials, int first, int last, int head, int head_dim, float* out);

}  // namespace trisect::dense
