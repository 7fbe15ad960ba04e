// How a step chooses the tokens that follow it.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/dense/sampling.hpp"

namespace trisect::phi2 {

/// For the last rows of a step: see dense::draw(). The default takes the most probable token.
struct Choice {
  float temperature = 0, top_p = 1;
  int vocabulary = 0;                     ///< only ids below it are chosen; 0 means all
  std::span<const std::uint64_t> bits{};  ///< one a row; not needed at temperature 0
};

}  // namespace trisect::phi2
