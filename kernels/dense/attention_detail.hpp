// What attention's files share.
#pragma once

#include "kernels/core/buffer.hpp"
#include "kernels/dense/attention.hpp"

namespace trisect::dense {

/// Rows [first, last), each by itself.
void attend_rows(const Attention::Problem& problem, const Attention::Args& args, int first, int last);

/// `count` neighbouring rows of one slot, at most kTileRows.
struct Tile {
  static constexpr int kMostRows = 128;
  int first, count;
};
void attend_tiles(const Attention::Problem& problem, const Attention::Args& args,
                  std::span<const Tile> tiles);

/// Memory of the calling thread that grows and never shrinks.
class Scratch {
 public:
  float* floats(std::size_t count) {
    if (buffer_.bytes() < count * sizeof(float)) buffer_ = Buffer(count * sizeof(float));
    return buffer_.as<float>();
  }

 private:
  Buffer buffer_;
};

}  // namespace trisect::dense
