// Seeded random data. The i-th value depends on (seed, i) alone, so any part can be made by any thread, in any
// order, on any machine, with the same result.
#pragma once

#include <cstdint>
#include <initializer_list>

#include "kernels/core/view.hpp"

namespace trisect {

using Seed = std::uint64_t;

/// SplitMix64's finaliser over seed and index (Steele, Lea, Flood, OOPSLA 2014): 64 well mixed bits.
constexpr std::uint64_t random_bits(Seed seed, std::uint64_t index) {
  std::uint64_t z = seed * 0xd1342543de82ef95u + (index + 1) * 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

/// A seed of its own for each purpose.
constexpr Seed derive(Seed seed, std::uint64_t purpose) { return random_bits(seed, ~purpose); }

/// Uniform in [0, 1) with 24 bits.
constexpr float random_unit(Seed seed, std::uint64_t index) {
  return static_cast<float>(random_bits(seed, index) >> 40) * 0x1p-24f;
}

/// Fills a floating view with uniform values of mean zero and the given standard deviation; index = r*cols + c.
void fill_uniform(const View& view, Seed seed, float stddev);

/// Fills a floating view with normal values (Box-Muller): what activations look like.
void fill_normal(const View& view, Seed seed, float stddev);

}  // namespace trisect
