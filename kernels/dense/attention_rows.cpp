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

/// A row's blocks depend on its length and width alone. They are as even as blocks can be that end where
/// pages of 16 do, and even in number where there are more than 16 keys, so that two threads have whole
/// blocks to do.
class Cut {
 public:
  Cut(int keys, std::int64_t row_bytes) : keys_(keys), units_((keys + kUnit - 1) / kUnit) {
    const int most = 2 * (row_bytes < kLongRow ? kShortRows : kBlockKeys);
    blocks_ = std::min(units_, (keys + most - 1) / most * 2);
  }

  int blocks() const { return blocks_; }
  int end(int block) const { return std::min(keys_, (block + 1) * units_ / blocks_ * kUnit); }

 private:
  /// The four places of a block of short rows would lie on as many pages of memory each: with more keys than
  /// these, caches of many small pieces are a tenth slower than one piece.
  static constexpr int kShortRows = 64, kUnit = 16;
  static constexpr std::int64_t kLongRow = 2048;

  const int keys_, units_;
  int blocks_;
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
    const std::int64_t row_bytes = width() * static_cast<std::int64_t>(size_of(problem.dtype));
    for (; first + rows_ < last; ++rows_) {
      const Cut cut(position[first + rows_] + 1, row_bytes);
      if (rows_ > 0 && blocks() + cut.blocks() > kMostBlocks) break;
      const std::int64_t before = keys_.back();
      for (int block = 0; block < cut.blocks(); ++block) keys_.push_back(before + cut.end(block));
      start_[rows_ + 1] = static_cast<int>(keys_.size()) - 1;
    }
  }

  int rows() const { return rows_; }
  int blocks() const { return start_[rows_]; }
  std::int64_t heads() const { return problem_.heads; }
  std::int64_t width() const { return heads() * problem_.head_dim; }

  /// The part-th of `parts` parts, nearly equal as counted in heads of keys: whole blocks, and some heads of
  /// those in which parts meet, two by two. A head's result does not depend on where that is.
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
    const std::int64_t all = keys_.back() * heads(), at = all * part / parts;
    const auto block = static_cast<std::size_t>(
        std::upper_bound(keys_.begin(), keys_.end() - 1, at / heads()) - keys_.begin() - 1);
    const std::int64_t before = at - keys_[block] * heads(), behind = keys_[block + 1] * heads() - at;
    if (std::min(before, behind) * parts * kFewKeys <= all)
      return {static_cast<int>(before < behind ? block : block + 1), 0};
    return {static_cast<int>(block), before / (keys_[block + 1] - keys_[block]) / 2 * 2};
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

  /// A part that is longer by a sixteenth costs less than some heads of a block: their pieces of rows are
  /// shorter than what the processor reads ahead.
  static constexpr int kFewKeys = 16;

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
    Partials partials{nullptr, pass.heads(), pass.width()};
    // For the most there can be: a sequence that grows would make it grow in the middle of decoding.
    const std::int64_t of_partials = std::max(pass.blocks(), kMostBlocks) * partials.of_block(),
                       of_thread = pass.heads() * (kBlockKeys + kGroup) + pass.width() + Partials::kApart;
    partials.base = scratch.reserve<float>(of_partials + thread_count() * of_thread);
    float* const of_threads = partials.base + of_partials;
#pragma omp parallel
    {
      pass.attend(omp_get_thread_num(), omp_get_num_threads(), partials,
                  of_threads + omp_get_thread_num() * of_thread);
#pragma omp barrier
#pragma omp for schedule(static) nowait
      for (std::int64_t i = 0; i < pass.rows() * pass.heads(); ++i)
        pass.merge(static_cast<int>(i / pass.heads()), static_cast<int>(i % pass.heads()), partials);
    }
    first += pass.rows();
  }
}

}  // namespace trisect::dense
