#include "kernels/dense/panels.hpp"

#include <omp.h>

#include <algorithm>
#include <functional>

#include "kernels/core/buffer.hpp"
#include "kernels/core/threads.hpp"
#include "kernels/dense/panel_kernel.hpp"

namespace trisect::dense {
namespace {

constexpr long kLines = kPanelColumns / kPanelLine;

/// Rows [first, last) of a panel; none is of panel -1.
struct Piece {
  long panel = -1, first = 0, last = 0;
};

/// Where the lines of a matrix in panels lie.
struct Lines {
  long in, across;  ///< rows, and lines across all panels

  explicit Lines(const View& w) : in(w.rows), across(panels_width(w.cols) / kPanelLine) {}
  long all() const { return in * across; }
  long of_row(long panel) const { return std::min(kLines, across - kLines * panel); }
  long begin(long panel, long row) const { return kLines * panel * in + of_row(panel) * row; }
  /// Where the row begins that a line is in.
  long row_begin(long line) const {
    if (line == all()) return line;
    const long panel = line / (kLines * in);
    return begin(panel, (line - begin(panel, 0)) / of_row(panel));
  }
  /// What lies between the beginnings of two rows, up to the end of the first one's panel.
  Piece piece(long from, long to) const {
    const long panel = from / (kLines * in), first = begin(panel, 0), wide = of_row(panel);
    return {panel, (from - first) / wide, std::min(in, (to - first) / wide)};
  }
};

/// Adds sums over a piece to y, for every token; its first rows bring the bias.
void finish(const RowProduct& product, const Piece& piece, const float* sums) {
  const long column = kPanelColumns * piece.panel, columns = std::min(kPanelColumns, product.w.cols - column);
  for (int token = 0; token < product.tokens; ++token, sums += kPanelColumns) {
    float* const y = product.y + token * product.y_stride + column;
    if (piece.first == 0 && !product.accumulate) std::fill_n(y, columns, 0.0f);
    if (piece.first == 0 && product.bias != nullptr)
      std::transform(y, y + columns, product.bias + column, y, std::plus<>());
    for (long c = 0; c < columns; ++c)
      y[c] += sums[c / kPanelLine * kPanelLine + place_of(c % kPanelLine, product.tokens)];
  }
}

/// bf16 of each row's factor, that of the next row above it.
void pair_factors(const float* value, long count, std::uint32_t* pairs) {
  std::transform(value, value + count, pairs, [](float x) { return std::uint32_t{to_bf16(x).bits}; });
  for (long i = 0; i + 1 < count; ++i) pairs[i] |= pairs[i + 1] << 16;
}

}  // namespace

void to_panels(const View& w, bf16* panels) {
  const Lines lines(w);
#pragma omp parallel for schedule(static)
  for (std::int64_t r = 0; r < w.rows; ++r) {
    for (long panel = 0; kPanelColumns * panel < w.cols; ++panel) {
      const long wide = lines.of_row(panel) * kPanelLine, column = kPanelColumns * panel;
      bf16* const to = panels + lines.begin(panel, r) * kPanelLine;
      std::fill(std::copy_n(w.row<bf16>(r) + column, std::min(wide, w.cols - column), to), to + wide, bf16{});
    }
  }
}

std::shared_ptr<void> copy_in_panels(const View& w) {
  const auto copy = std::make_shared<Buffer>(Dtype::kBf16, w.rows, panels_width(w.cols));
  to_panels(w, copy->as<bf16>());
  return {copy, copy->data()};
}

void panel_product(const RowProduct& product) {
  const Lines lines(product.w);
  const auto* const weights = static_cast<const bf16*>(product.w.data);
  const int tokens = product.tokens, threads = thread_count();
  const long slot = kPanelColumns * tokens;
  thread_local Scratch factor_memory, sum_memory, piece_memory;
  std::uint32_t* const factors = factor_memory.reserve<std::uint32_t>(lines.in * tokens);
  for (int token = 0; token < tokens; ++token)
    pair_factors(product.value + token * product.value_stride, lines.in, factors + token * lines.in);
  // A thread shares no panel but those at the ends of its run.
  float* const sums = sum_memory.reserve<float>(2 * slot * threads);
  Piece* const shared = piece_memory.reserve<Piece>(2 * threads);
  std::fill_n(shared, 2 * threads, Piece{});
#pragma omp parallel num_threads(threads)
  {
    const int thread = omp_get_thread_num();
    const Range run = split(lines.all(), thread, threads);
    const long first = lines.row_begin(run.first), last = lines.row_begin(run.last);
    for (long line = first; line < last;) {
      const Piece piece = lines.piece(line, last);
      const long wide = lines.of_row(piece.panel), rows = piece.last - piece.first;
      const int end = 2 * thread + (line == first ? 0 : 1);
      float* const here = sums + slot * end;
      std::fill_n(here, slot, 0.0f);
      add_panel_rows({weights + kPanelLine * line, wide, rows, factors + piece.first, lines.in, tokens},
                     here);
      if (rows == lines.in) finish(product, piece, here);
      if (rows < lines.in) shared[end] = piece;
      line += wide * rows;
    }
  }
  for (int end = 0; end < 2 * threads; ++end)
    if (shared[end].panel >= 0) finish(product, shared[end], sums + slot * end);
}

}  // namespace trisect::dense
