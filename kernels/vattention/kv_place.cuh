// Where a token lies, and how it may be read.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "kernels/dense/kv_place.cuh"

namespace trisect::vattention {

using dense::place_of;

/// Whether every token starts at a multiple of `bytes`, a power of two.
inline bool is_aligned(const dense::KvSpan& kv, std::int64_t bytes) {
  const auto all =
      reinterpret_cast<std::intptr_t>(kv.k) | reinterpret_cast<std::intptr_t>(kv.v) | kv.slot | kv.token;
  return (all & (bytes - 1)) == 0;
}

/// Whether every row starts at a multiple of `bytes`.
inline bool is_aligned(const View& view, std::int64_t bytes) {
  const auto row = view.stride * static_cast<std::int64_t>(size_of(view.dtype));
  return ((reinterpret_cast<std::intptr_t>(view.data) | row) & (bytes - 1)) == 0;
}

}  // namespace trisect::vattention
