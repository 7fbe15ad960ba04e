// One query over one block of keys: what attention over single rows is made of.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/dense/attention.hpp"

namespace trisect::dense {

inline constexpr int kBlockKeys = 64;  ///< whole vectors of any instruction set
inline constexpr int kGroup = 4;       ///< tokens that are computed together

/// Some heads of a query against a block of keys, and where the block's results go.
struct RowBlock {
  const float* q = nullptr;
  std::int64_t offset[kBlockKeys] =
      {};  ///< of the block's tokens, from the bases of K and V to the first head
  int keys = 0, heads = 0;
  float* scores = nullptr;  ///< scratch, [heads][kBlockKeys]
  float* pairs = nullptr;   ///< scratch, [heads * head_dim]
  /// Results for each head: the largest score, the sum of exp(score - largest), and the sum of values so
  /// weighted.
  float *largest = nullptr, *total = nullptr, *sums = nullptr;

  int groups() const { return (keys + kGroup - 1) / kGroup; }
  /// The i-th token of a group. One that would lie beyond the block is the last token once more.
  std::int64_t token(int group, int i) const { return offset[std::min(group * kGroup + i, keys - 1)]; }
};

/// Asks for rows before they are read, in the order of their use: the block's keys, its values, the next
/// block's keys. Where layers lie interleaved a row ends within a page or two, and with it what the processor
/// fetches by itself. Into the second-level cache: a group and the next do not fit into the first.
class FetchAhead {
 public:
  FetchAhead(const KvSpan& kv, std::int64_t head_bytes)
      : kv_(kv), head_bytes_(head_bytes), lines_((kGroup * head_bytes + kLine - 1) / kLine) {}

  /// `next` is what this thread does after `block`, or null. What was asked for ahead of time counts.
  void begin(const RowBlock& block, const RowBlock* next) {
    const int done = asked_ - 2 * groups_;
    block_ = &block;
    groups_ = block.groups();
    next_ = next;
    now_ = 0;
    if (done > 0 && at_[0] != nullptr)
      asked_ = done;
    else
      move_to(std::max(done, 0));
  }

  /// Group `group` of the block's keys, then values, is being read.
  void reached(int group) {
    now_ = group;
    if (asked_ <= group) move_to(group + 1);
  }

  /// A head of a group is being computed: asks for as much.
  void tick() {
    if (asked_ > now_ + kLead || at_[row_] == nullptr) return;
    const std::byte* first = at_[row_] + byte_;
    const std::int64_t lines = std::min(lines_, (row_bytes_ - byte_ + kLine - 1) / kLine);
    for (std::int64_t i = 0; i < lines; ++i) __builtin_prefetch(first + i * kLine, 0, 2);
    byte_ += lines * kLine;
    if (byte_ < row_bytes_) return;
    byte_ = 0;
    if (++row_ == kGroup) move_to(asked_ + 1);
  }

 private:
  static constexpr std::int64_t kLine = 64;
  static constexpr int kLead = 2;  // groups

  void move_to(int group) {
    asked_ = group;
    row_ = 0;
    byte_ = 0;
    const int part = std::min(group / groups_, 2), within = group - part * groups_;
    const RowBlock* block = part < 2 ? block_ : next_;
    const std::byte* base = part == 1 ? kv_.v : kv_.k;
    row_bytes_ = block == nullptr ? 0 : block->heads * head_bytes_;
    for (int i = 0; i < kGroup; ++i)
      at_[i] = block == nullptr || within >= block->groups() ? nullptr : base + block->token(within, i);
  }

  const KvSpan& kv_;
  const std::int64_t head_bytes_, lines_;  // lines: of a head of a group
  const RowBlock *block_ = nullptr, *next_ = nullptr;
  int groups_ = 0;           // of the block's keys, and of its values
  int now_ = 0, asked_ = 0;  // groups: keys, values, the next block's keys
  int row_ = 0;
  std::int64_t byte_ = 0, row_bytes_ = 0;
  const std::byte* at_[kGroup] = {};
};

/// Writes the block's results. The type is the cache's.
void attend_block(int head_dim, const KvSpan& kv, const RowBlock& block, FetchAhead& ahead);

/// Where the results of one block of one row lie.
struct Partials {
  float* base;
  std::int64_t heads, width;

  float* largest(int block) const { return base + block * (2 * heads + width); }
  float* total(int block) const { return largest(block) + heads; }
  float* sums(int block) const { return total(block) + heads; }
};

/// One head of a row, whose blocks are [first, last): out = the mean of its values.
void merge_blocks(const Partials& partials, int first, int last, int head, int head_dim, float* out);

}  // namespace trisect::dense
