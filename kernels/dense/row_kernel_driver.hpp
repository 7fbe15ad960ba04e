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

/// Calls kernel(first_row, last_row, first_column, columns, sums) on every thread: it writes to sums[0..columns) the
/// sum over its rows. `unit` columns are never divided.
template <class Kernel>
void run_row_product(const RowProduct& product, int unit, Kernel kernel) {
  const std::int64_t out = product.w.cols;
  const int threads = thread_count();
  const RowSplit parts = split_rows(out * static_cast<std::int64_t>(size_of(product.w.dtype)), threads);
  const std::size_t padded = static_cast<std::size_t>((out + unit - 1) / unit * unit + 64);
  float* scratch = row_scratch(padded * static_cast<std::size_t>(parts.row_parts));
#pragma omp parallel num_threads(threads)
  {
    const int thread = omp_get_thread_num();
    if (thread < parts.column_parts * parts.row_parts) {
      const int row_part = thread / parts.column_parts;
      const Range columns = split(out, thread % parts.column_parts, parts.column_parts, unit);
      const Range rows = split(product.count, row_part, parts.row_parts, 16);
      kernel(rows.first, rows.last, columns.first, columns.last - columns.first,
             scratch + static_cast<std::size_t>(row_part) * padded + columns.first);
    }
#pragma omp barrier
    const Range mine = split(out, thread, threads, 64);
    for (long c = mine.first; c < mine.last; ++c) {
      float sum = product.bias != nullptr ? product.bias[c] : 0.0f;
      if (product.accumulate) sum += product.y[c];
      for (int part = 0; part < parts.row_parts; ++part) sum += scratch[static_cast<std::size_t>(part) * padded + c];
      product.y[c] = sum;
    }
  }
}

}  // namespace trisect::dense
