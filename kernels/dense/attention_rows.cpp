// Rows that share no keys, as in decoding: bound by reading K and V once.
#include <omp.h>

#include <algorithm>
#include <vector>

#include "kernels/core/threads.hpp"
#include "kernels/dense/attention_block.hpp"
#include "kernels/dense/attention_detail.hpp"

namespace trisect::dense {
namespace {

/// Bounds the scratch of a pass: its partial results are a few MB for phi-2.
constexpr int kMostBlocks = 256;

/// A row's blocks depend on its length and width alone. They are of one size but for the last, so that an
/// even number of threads has whole blocks to do, and end where pages of 16 do.
class BlockSize {
 public:
  explicit BlockSize(std::int64_t row_bytes) : most_keys_(row_bytes < kLongRow ? kShortRows : kBlockKeys) {}

  int most_blocks_of(int keys) const { return 2 * ((keys + 2 * most_keys_ - 1) / (2 * most_keys_)); }
  int keys_of(int keys) const {
    const int blocks = most_blocks_of(keys);
    return ((keys + blocks - 1) / blocks + kUnit - 1) / kUnit * kUnit;
  }

 private:
  /// The four places of a block of short rows would lie on as many pages of memory each: with more keys than
  /// these, caches of many small pieces are a tenth slower than one piece.
  static constexpr int kShortRows = 64, kUnit = 16;
  static constexpr std::int64_t kLongRow = 2048;

  const int most_keys_;
};

/// KvSpan::offset() of tokens side by side, with one division for all: they are as many as a short call has
/// keys, and a division of theirs takes as long as reading a line of the cache.
void set_offsets(const KvSpan& kv, std::int32_t slot, int first, int count, std::int64_t more,
                 std::int64_t* to) {
  const bool is_one_piece = kv.table == nullptr && kv.page == 0;
  const int page_tokens = is_one_piece ? first + count : kv.page_tokens;
  for (int page = first / page_tokens, within = first % page_tokens, t = 0; t < count; ++page, within = 0) {
    const std::int64_t place = kv.offset(slot, std::int64_t{page} * page_tokens) + more;
    for (; within < page_tokens && t < count; ++within) to[t++] = place + within * kv.token;
  }
}

/// Some rows of a problem, cut into blocks of keys.
class Pass {
 public:
  Pass(const Attention::Problem& problem, const Attention::Args& args, int first, int last)
      : problem_(problem), args_(args), first_(first) {
    const std::int32_t* position = args.position.row<std::int32_t>();
    const BlockSize size(width() * static_cast<std::int64_t>(size_of(problem.dtype)));
    do {
      const int row = rows_++, keys = position[first + row] + 1;
      const int each = size.keys_of(keys);
      for (int key = 0; key < keys; key += each) keys_.push_back(keys_.back() + std::min(each, keys - key));
      start_[row + 1] = static_cast<int>(keys_.size()) - 1;
    } while (first + rows_ < last &&
             blocks() + size.most_blocks_of(position[first + rows_] + 1) <= kMostBlocks);
  }

  int rows() const { return rows_; }
  int blocks() const { return start_[rows_]; }
  std::int64_t heads() const { return problem_.heads; }
  std::int64_t width() const { return heads() * problem_.head_dim; }

  /// The part-th of `parts` equal parts, counted in heads of keys: whole blocks, and some heads of those in
  /// which parts meet, two by two. A head's result does not depend on where that is.
  void attend(int part, int parts, const Partials& partials, float* scratch) const {
    FetchAhead ahead(args_.kv, problem_.head_dim * static_cast<std::int64_t>(size_of(problem_.dtype)));
    RowBlock block[2];
    const Place end = place(part + 1, parts);
    int which = 0;
    for (Place at = set(block[0], place(part, parts), end, partials, scratch); block[which].heads > 0;) {
      RowBlock& next = block[1 - which];
      at = set(next, at, end, partials, scratch);
      ahead.begin(block[which], next.heads > 0 ? &next : nullptr);
      attend_block(problem_.head_dim, args_.kv, block[which], ahead);
      which = 1 - which;
    }
  }

  void merge(int row, int head, const Partials& partials) const {
    merge_blocks(partials, start_[row], start_[row + 1], head, problem_.head_dim,
                 args_.out.row<float>(first_ + row) + std::int64_t{head} * problem_.head_dim);
  }

 private:
  struct Place {
    int block;
    std::int64_t head;
  };

  Place place(int part, int parts) const {
    const std::int64_t at = keys_.back() * heads() * part / parts;
    const auto block = static_cast<std::size_t>(
        std::upper_bound(keys_.begin(), keys_.end() - 1, at / heads()) - keys_.begin() - 1);
    const std::int64_t head = (at - keys_[block] * heads()) / (keys_[block + 1] - keys_[block]);
    return {static_cast<int>(block), head < heads() ? head / 2 * 2 : head};
  }

  /// Makes `block` the heads from `at` to the end of its block, or to `end`; none when `end` is reached.
  /// Returns what comes behind.
  Place set(RowBlock& block, Place at, Place end, const Partials& partials, float* scratch) const {
    const std::int64_t last = at.block == end.block ? end.head : heads();
    block.heads = at.block > end.block || at.block >= blocks() ? 0 : static_cast<int>(last - at.head);
    if (block.heads == 0) return at;
    const int i = static_cast<int>(std::upper_bound(start_, start_ + rows_, at.block) - start_) - 1;
    const int row = first_ + i;
    const std::int64_t column = at.head * problem_.head_dim;
    block.q = args_.q.row<float>(row) + column;
    const auto number = static_cast<std::size_t>(at.block);
    block.keys = static_cast<int>(keys_[number + 1] - keys_[number]);
    block.scores = scratch;
    block.pairs = scratch + heads() * kBlockKeys;
    block.of_lane = block.pairs + width();
    block.largest = partials.largest(at.block) + at.head;
    block.total = partials.total(at.block) + at.head;
    block.sums = partials.sums(at.block) + column;
    const std::int64_t of_column = column * static_cast<std::int64_t>(size_of(problem_.dtype));
    const std::int32_t slot = args_.slot.row<std::int32_t>()[row];
    const auto key = static_cast<int>(keys_[number] - keys_[static_cast<std::size_t>(start_[i])]);
    set_offsets(args_.kv, slot, key, block.keys, of_column, block.offset);
    return {at.block + 1, 0};
  }

  const Attention::Problem& problem_;
  const Attention::Args& args_;
  const int first_;
  int rows_ = 0;
  int start_[kMostBlocks + 1] = {};       // [i]: blocks before row first_ + i
  std::vector<std::int64_t> keys_ = {0};  // [b]: keys before block b
};

}  // namespace

void attend_rows(const Attention::Problem& problem, const Attention::Args& args, int first, int last) {
  while (first < last) {
    const Pass pass(problem, args, first, last);
    thread_local Scratch scratch;
    // For the most there can be: a sequence that grows would make it grow in the middle of decoding.
    const std::int64_t of_partials = std::max(pass.blocks(), kMostBlocks) * (2 * pass.heads() + pass.width()),
                       of_thread = pass.heads() * (kBlockKeys + kGroup) + pass.width();
    float* floats = scratch.reserve<float>(of_partials + thread_count() * of_thread);
    const Partials partials{floats, pass.heads(), pass.width()};
#pragma omp parallel
    {
      pass.attend(omp_get_thread_num(), omp_get_num_threads(), partials,
                  floats + of_partials + omp_get_thread_num() * of_thread);
#pragma omp barrier
#pragma omp for schedule(static)
      for (std::int64_t i = 0; i < pass.rows() * pass.heads(); ++i)
        pass.merge(static_cast<int>(i / pass.heads()), static_cast<int>(i % pass.heads()), partials);
    }
    first += pass.rows();
  }
}

}  // namespace trisect::dense
