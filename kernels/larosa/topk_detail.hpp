// What the variants of top-k share.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include "kernels/larosa/topk.hpp"

namespace trisect::larosa {

/// |x| as an integer of the same order; every NaN is one value above infinity.
constexpr std::uint32_t magnitude(float x) {
  constexpr std::uint32_t kNan = 0x7f800001u;
  return std::min(std::bit_cast<std::uint32_t>(x) & 0x7fffffffu, kNan);
}

void topk_ref(const Topk::Problem& problem, const Topk::Args& args);
void topk_nth_element(const Topk::Problem& problem, const Topk::Args& args);
void topk_bisect(const Topk::Problem& problem, const Topk::Args& args);

}  // namespace trisect::larosa
