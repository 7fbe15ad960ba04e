// What both row kernels share: dividing the work, scratch for partial sums, and adding them up.
#pragma once

#include <omp.h>

#include <algorithm>

#include "kernels/core/buffer.hpp"
#include "kernels/core/threads.hpp"
#include "kernels/dense/row_kernel.hpp"

namespace trisect::dense {

/// Grows, never shrinks; one for each calling thread, so that concurrent callers do not share.
inline float* row_scratch(std::size_t floats) {
  thread_local Buffer buffer;
  if (buffer.bytes() < floats * sizeof(float)) buffer = Buffer(floats * sizeof(float));
  return buffer.as<float>();
}

/// Calls kernel(first_row, last_row, first_column, columns, sums) on every thread: it writes to
/// sums[0..columns) the sum over its rows. Threads divide the rows, so that each streams through memory
/// without gaps, and add their partial sums at the end. Columns are taken in tiles wide enough for long runs,
/// whose sums stay in the second-level cache.
template <class Kernel>
void run_row_product(const RowProduct& product, Kernel kernel) {
  constexpr long kTile = 17920;  // phi-2's q|k|v|fc1 in one piece
  constexpr long kRowUnit = 16;  // rows are divided in whole passes of the kernels
  constexpr long kSlack = 64;    // kernels may write whole registers past the end
  const long out = product.w.cols;
  const std::size_t padded = static_cast<std::size_t>((out + kSlack - 1) / kSlack * kSlack + kSlack);
  const int threads = thread_count();
  float* scratch = row_scratch(padded * static_cast<std::size_t>(threads));
#pragma omp parallel num_threads(threads)
  {
    const int thread = omp_get_thread_num();
    const Range rows = split(product.count, thread, threads, kRowUnit);
    float* sums = scratch + static_cast<std::size_t>(thread) * padded;
    for (long column = 0; column < out; column += kTile) {
      kernel(rows.first, rows.last, column, std::min(kTile, out - column), sums + column);
    }
#pragma omp barrier
    const Range mine = split(out, thread, threads, kSlack);
    for (long c = mine.first; c < mine.last; ++c) {
      float sum = product.bias != nullptr ? product.bias[c] : 0.0f;
      if (product.accumulate) sum += product.y[c];
      for (int part = 0; part < threads; ++part) sum += scratch[static_cast<std::size_t>(part) * padded + c];
      product.y[c] = sum;
    }
  }
}

}  // namespace trisect::dense
