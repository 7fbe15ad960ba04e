// What attention's files share.
#pragma once

#include "kernels/core/buffer.hpp"
#include "kernels/dense/attention.hpp"

namespace trisect::dense {

/// Rows [first, last), each by itself.
void attend_rows(const Attention::Problem& problem, const Attention::Args& args, int first, int last);

/// `count` neighbouring rows of one slot, at most kMostRows.
struct Tile {
  static constexpr int kMostRows = 128;
  int first, count;
};
void attend_tiles(const Attention::Problem& problem, const Attention::Args& args,
                  std::span<const Tile> tiles);

}  // namespace trisect::dense
