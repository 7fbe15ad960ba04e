// The inner loops of panel_product().
#pragma once

#include <cstdint>

#include "kernels/core/dtype.hpp"

namespace trisect::dense {

constexpr long kPanelLine = 32;  ///< weights in a cache line, of which a row of a panel has up to eight

/// Rows of a panel, one behind the other, and what each token multiplies them by.
struct PanelRows {
  const bf16* rows;  ///< [count][lines][kPanelLine]
  long lines, count;
  const std::uint32_t*
      factors;  ///< [tokens][count], `stride` apart: a row's in bf16, the next row's above it
  long stride;
  int tokens;
};

/// sums [tokens][lines][kPanelLine], kPanelColumns a token, += the products. Where panels_run().
void add_panel_rows(const PanelRows& panel, float* sums);

/// Where the sum of a line's column is kept, which is the instructions' order.
constexpr long place_of(long column, int tokens) {
  return tokens == 1 ? column % 2 * 16 + column / 2 : column / 4 % 2 * 16 + column / 8 * 4 + column % 4;
}

}  // namespace trisect::dense
