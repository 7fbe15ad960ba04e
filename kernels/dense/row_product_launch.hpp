// How a row product is laid out over a device: shared by its launches, and by the test that counts them.
#pragma once

#include <algorithm>
#include <cstdint>

namespace trisect::dense {

inline constexpr int kProductThreads = 512, kProductWarps = kProductThreads / 32;

/// Of a product of one vector: blocks on an SM, and rows of weights that a warp reads before it uses the first. Two
/// blocks leave 64 registers a thread, which hold four rows' 16 bytes without spilling.
inline constexpr int kProductBlocksPerSm = 2, kProductAhead = 4;

/// Blocks of kProductThreads. A block takes at least four rows a warp: below that, adding up its partial sums
/// costs more than the SMs it occupies bring.
inline int product_blocks(int count, int out, int columns_of_tile, int sms, int blocks_per_sm) {
  constexpr std::int64_t kLeastSteps = 64;
  const std::int64_t tiles = (out + columns_of_tile - 1) / columns_of_tile;
  const std::int64_t steps = tiles * std::max(count, 1);
  return static_cast<int>(std::clamp<std::int64_t>((steps + kLeastSteps - 1) / kLeastSteps, 1,
                                                   std::int64_t{sms} * blocks_per_sm));
}

}  // namespace trisect::dense
