// What both row kernels share: dividing the work, scratch for partial sums, and adding them up.
#pragma once

#include <omp.h>

#include <algorithm>

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
  NextRows(const void* const rows[kRowsPerPass], long bytes) : rows_(rows), bytes_(bytes) { begin(0); }

  template <long kBytes>
  void fetch() {
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

  const void* const* rows_;
  long bytes_;
  int row_ = 0;
  const char *at_ = nullptr, *end_ = nullptr;
};

constexpr long kSlack = 64;  // kernels may write whole registers past the last column

/// y of `columns` columns, at most kSlack, from the sums of all threads, `padded` apart.
inline void add_up(const RowProduct& product, long column, long columns, const float* sums,
                   std::size_t padded, int threads) {
  float total[kSlack] = {};
  for (int part = 0; part < threads; ++part, sums += padded) {
    for (long c = 0; c < kSlack; ++c) total[c] += sums[c];
  }
  float* y = product.y + column;
  for (long c = 0; c < columns; ++c) {
    if (product.bias != nullptr) total[c] += product.bias[column + c];
    y[c] = product.accumulate ? y[c] + total[c] : total[c];
  }
}

/// Calls kernel(first_row, last_row, first_column, columns, sums) on every thread: it writes to
/// sums[0..columns) the sum over its rows. Threads divide the rows, so that each streams through memory
/// without gaps, and add their partial sums at the end. Columns are taken in tiles wide enough for long runs,
/// whose sums stay in the second-level cache.
template <class Kernel>
void run_row_product(const RowProduct& product, Kernel kernel) {
  constexpr long kTile = 17920;  // phi-2's q|k|v|fc1 in one piece
  const long out = product.w.cols;
  const std::size_t padded = static_cast<std::size_t>((out + kSlack - 1) / kSlack * kSlack + kSlack);
  const int threads = thread_count();
  thread_local Scratch memory;
  float* scratch = memory.reserve<float>(static_cast<std::int64_t>(padded) * threads);
#pragma omp parallel num_threads(threads)
  {
    const int thread = omp_get_thread_num();
    const Range rows = split(product.count, thread, threads, kRowsPerPass);
    float* sums = scratch + static_cast<std::size_t>(thread) * padded;
    for (long column = 0; column < out; column += kTile) {
      kernel(rows.first, rows.last, column, std::min(kTile, out - column), sums + column);
    }
#pragma omp barrier
    const Range mine = split(out, thread, threads, kSlack);
    for (long c = mine.first; c < mine.last; c += kSlack) {
      add_up(product, c, std::min(kSlack, mine.last - c), scratch + c, padded, threads);
    }
  }
}

}  // namespace trisect::dense
