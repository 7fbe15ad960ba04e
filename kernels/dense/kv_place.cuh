// Where a token lies: KvSpan on the GPU.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "kernels/dense/attention.hpp"

namespace trisect::dense {

/// KvSpan::offset(), for device code.
__device__ inline std::int64_t place_of(const KvSpan& kv, std::int32_t slot, std::int32_t token) {
  if (kv.table == nullptr) return slot * kv.slot + token * kv.token;
  return kv.table[slot * kv.table_stride + token / kv.page_tokens] * kv.slot +
         token % kv.page_tokens * kv.token;
}

}  // namespace trisect::dense
