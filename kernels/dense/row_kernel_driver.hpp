// What both row kernels share: dividing the work, scratch for partial sums, and adding them up.
#pragma once

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <type_traits>

#include "kernels/core/buffer.hpp"
#include "kernels/core/threads.hpp"
#include "kernels/dense/row_kernel.hpp"

namespace trisect::dense {

constexpr int kRowsPerPass =
    8;  // of weights that are multiplied at a time: each pass reads and writes the sums once

/// Fetches the rows of the next pass into the second-level cache while a pass is computed, a few lines a
/// step, in the order of their addresses: memory is read in one stream, as the hardware's prefetchers like it
/// best.
class NextRows {
 public:
  NextRows() = default;  ///< nothing is fetched
  NextRows(const void* const rows[kRowsPerPass], long bytes) : rows_(rows), bytes_(bytes) { begin(0); }

  template <long kBytes>
  void fetch() {
    if (rows_ == nullptr) return;
    for (long line = 0; line < kBytes; line += 64) __builtin_prefetch(at_ + line, 0, 2);
    at_ += kBytes;
    if (at_ >= end_ && row_ + 1 < kRowsPerPass) begin(row_ + 1);
  }

 private:
  void begin(int row) {
    row_ = row;
    at_ = static_cast<const char*>(rows_[row]);
    end_ = at_ + bytes_;
  }

  const void* const* rows_ = nullptr;
  long bytes_ = 0;
  int row_ = 0;
  const char *at_ = nullptr, *end_ = nullptr;
};

constexpr long kSlack = 64;  // kernels may write whole registers past the last column
constexpr long kApart = kBytesApart / sizeof(float);
static_assert(kApart >= kSlack);

/// Where a kernel adds up: a row for each token, `stride` apart.
struct Sums {
  float* first;
  long stride;
  float* of(int token) const { return first + token * stride; }
};

/// sums of columns too few for a register, of bf16 weights: those in `range`, counted from `column`.
inline void add_last_columns(const RowProduct& product, long first, long last, long column, Range range,
                             const Sums& sums) {
  for (int token = 0; token < product.tokens && range.first < range.last; ++token) {
    const float* value = product.value + token * product.value_stride;
    for (long j = first; j < last; ++j) {
      const bf16* row = product.w.row<bf16>(product.index != nullptr ? product.index[j] : j) + column;
      const float factor = to_f32(to_bf16(value[j]));
      for (long c = range.first; c < range.last; ++c) sums.of(token)[c] += factor * to_f32(row[c]);
    }
  }
}

/// row_product_bf16() of more than one token.
void row_product_bf16_batch(const RowProduct& product);

/// Calls body(std::integral_constant<int, n>, first token) for groups of n = 4, 2 and 1 tokens: as many share
/// what is loaded of the weights, and fit into registers.
template <class Body>
void each_group(int tokens, Body body) {
  int token = 0;
  for (; token + 4 <= tokens; token += 4) body(std::integral_constant<int, 4>(), token);
  for (; token + 2 <= tokens; token += 2) body(std::integral_constant<int, 2>(), token);
  if (token < tokens) body(std::integral_constant<int, 1>(), token);
}

/// y of `columns` columns, at most kSlack, from the sums of all threads, `padded` apart.
inline void add_up(const RowProduct& product, int token, long column, long columns, const float* sums,
                   std::size_t padded, int threads) {
  float total[kSlack] = {};
  for (int part = 0; part < threads; ++part, sums += padded) {
    for (long c = 0; c < kSlack; ++c) total[c] += sums[c];
  }
  float* y = product.y + token * product.y_stride + column;
  for (long c = 0; c < columns; ++c) {
    if (product.bias != nullptr) total[c] += product.bias[column + c];
    y[c] = product.accumulate ? y[c] + total[c] : total[c];
  }
}

/// A thread's part of the matrix that is read next, from its beginning: brought into the caches line by line.
/// Threads end some per cent of the time apart, in which memory would be idle.
class ReadAhead {
 public:
  ReadAhead(const View& next, int thread, int threads) {
    if (!next) return;
    const Range rows = split(next.rows, thread, threads, kRowsPerPass);
    at_ = next.byte_row(rows.first);
    end_ = std::min<const std::byte*>(at_ + kMost, next.byte_row(rows.last));
  }
  /// A little more; false when that was all.
  bool more() {
    if (end_ - at_ < kStep) return false;
    for (const std::byte* end = at_ + kStep; at_ < end; at_ += 64)
      static_cast<void>(*static_cast<const volatile std::byte*>(at_));
    return true;
  }

 private:
  static constexpr long kStep = 4096,
                        kMost = 4 << 20;  // a share of the last-level cache that others leave alone
  const std::byte *at_ = nullptr, *end_ = nullptr;
};

/// Calls kernel(first_row, last_row, first_column, columns, sums) on every thread: it writes to
/// sums.of(token)[0..columns) the sum over its rows. Threads divide the rows, so that each streams through
/// memory without gaps, and add their partial sums at the end. Columns are taken in tiles wide enough for
/// long runs, whose sums stay in the second-level cache.
template <class Kernel>
void run_row_product(const RowProduct& product, Kernel kernel, int rows_per_pass = kRowsPerPass) {
  const long tile = product.tokens == 1 ? 17920 : 8960;  // phi-2's q|k|v|fc1 in one piece, or two
  const long out = product.w.cols;
  const std::size_t padded = static_cast<std::size_t>((out + kSlack - 1) / kSlack * kSlack + kApart);
  const int threads = thread_count(), tokens = product.tokens;
  std::atomic<int> working{threads};
  thread_local Scratch memory;
  float* scratch = memory.reserve<float>(static_cast<std::int64_t>(padded) * threads * tokens);
#pragma omp parallel num_threads(threads)
  {
    const int thread = omp_get_thread_num();
    const Range rows = split(product.count, thread, threads, rows_per_pass);
    float* sums = scratch + static_cast<std::size_t>(thread * tokens) * padded;
    for (long column = 0; column < out; column += tile) {
      kernel(rows.first, rows.last, column, std::min(tile, out - column),
             Sums{sums + column, static_cast<long>(padded)});
    }
    --working;
    for (ReadAhead next(product.next, thread, threads); working > 0 && next.more();) {
    }
#pragma omp barrier
    const Range mine = split(out, thread, threads, kSlack);
    for (int token = 0; token < tokens; ++token) {
      const float* first = scratch + static_cast<std::size_t>(token) * padded;
      for (long c = mine.first; c < mine.last; c += kSlack) {
        add_up(product, token, c, std::min(kSlack, mine.last - c), first + c,
               padded * static_cast<std::size_t>(tokens), threads);
      }
    }
  }
}

}  // namespace trisect::dense
