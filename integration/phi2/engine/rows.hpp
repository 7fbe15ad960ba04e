// What one step of the engine works on.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/core/view.hpp"

namespace trisect::phi2 {

/// One entry a row: a token, the KV slot of its sequence and its position there. Rows of a slot are ascending
/// and side by side; the three spans are equally long. What kernels get points into the memory of their
/// device.
struct Rows {
  std::span<const std::int32_t> token, slot, position;
  bool decodes = false;  ///< no two rows are of one sequence; known to kernels' callers, see Forward

  int count() const { return static_cast<int>(token.size()); }
  static View view(std::span<const std::int32_t> entries) {
    return View::of(entries.data(), 1, static_cast<std::int64_t>(entries.size()));
  }
};

}  // namespace trisect::phi2
