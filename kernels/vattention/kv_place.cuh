// Where a token lies: dense::KvSpan on the GPU.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "kernels/dense/attention.hpp"

namespace trisect::vattention {

/// KvSpan::offset(), for device code.
__device__ inline std::int64_t place_of(const dense::KvSpan& kv, std::int32_t slot, std::int32_t token) {
  if (kv.table == nullptr) return slot * kv.slot + token * kv.token;
  return kv.table[slot * kv.table_stride + token / kv.page_tokens] * kv.slot +
         token % kv.page_tokens * kv.token;
}

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
