// One warp's part of decode attention: see decode_attention_cuda.cu.
#pragma once

#include <cuda_runtime.h>

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "kernels/dense/row_product.cuh"
#include "kernels/vattention/kv_place.cuh"

namespace trisect::vattention {

using dense::load_once;
using dense::Pack;
using dense::widened;

inline constexpr int kWarps = 4, kThreads = 32 * kWarps, kKeysOfWarp = 32, kBlockKeys = kWarps * kKeysOfWarp;

struct Query {
  const float* q;
  std::int64_t q_stride;
  float* out;
  std::int64_t out_stride;
  const std::int32_t *slot, *position;
  dense::KvSpan kv;
  int heads, head_dim, context;
  float scale;  // of scores, in powers of two
  float*
      sums;  // [row][block of keys][head][head_dim]: values, weighted relative to the block's largest score
  float2* state;  // [row][block of keys][head]: that score, and the sum of the weights

  __device__ int blocks() const { return (context + kBlockKeys - 1) / kBlockKeys; }
  __device__ std::int64_t place(int row, int block, int head) const {
    return (std::int64_t{row} * blocks() + block) * heads + head;
  }
};

/// A head is spread over kLanes lanes, kItems packs of kVector elements each; kHeads of them over a warp.
template <class Element, int kVectorOf, int kLanesOf, int kItemsOf>
struct Layout {
  using T = Element;
  static constexpr int kVector = kVectorOf, kLanes = kLanesOf, kItems = kItemsOf;
  static constexpr int kElements = kVector * kItems, kHeads = 32 / kLanes;
  /// Tokens whose rows are read before the first is used.
  static constexpr int kAhead = kElements <= 8 && kItems <= 2 ? 8 : 4;
  /// Whether all of the lanes' elements belong to the head.
  static constexpr bool kIsExact = kVector > 1;
};

/// Over the lanes of a head, the same in all of them. All of a warp call it.
template <int kLanes>
__device__ float sum_over_head(float x, int lane) {
  if constexpr ((kLanes & (kLanes - 1)) == 0) {
#pragma unroll
    for (int step = kLanes / 2; step > 0; step /= 2) x += __shfl_xor_sync(~0u, x, step);
    return x;
  } else {
    constexpr int kStep = kLanes > 16 ? 16 : 8;  // the largest power of two below
    static_assert(kStep < kLanes && kLanes <= 2 * kStep);
    const int within = lane % kLanes;
#pragma unroll
    for (int step = kStep; step > 0; step /= 2) {
      const float other = __shfl_sync(~0u, x, lane + step);
      if (within + step < kLanes) x += other;
    }
    return __shfl_sync(~0u, x, lane - within);
  }
}

/// As f32. bf16 stays in pairs until it is used: taken apart when it is loaded, it fills twice the registers.
template <class T, int kVector>
__device__ float element_of(const Pack<T, kVector>& pack, int index) {
  if constexpr (std::is_same_v<T, bf16> && kVector > 1) {
    const std::uint32_t pair = reinterpret_cast<const std::uint32_t*>(pack.element)[index / 2];
    return __uint_as_float(index % 2 == 0 ? pair << 16 : pair & 0xffff0000u);
  } else {
    return widened(pack.element[index]);
  }
}

/// What a warp knows of its keys so far.
template <class L>
struct Running {
  float largest = -INFINITY, total = 0;
  float sums[L::kElements] = {};
};

/// `count` keys from `first` on.
template <class L, bool kIsPaged>
__device__ void attend(const Query& a, int row, int first, int count, bool is_active, int head, int within,
                       Running<L>& run) {
  using T = typename L::T;
  const int lane = static_cast<int>(threadIdx.x % 32), n = a.head_dim;
  const auto element = [&](int item) { return (item * L::kLanes + within) * L::kVector; };
  const auto is_inside = [&](int item) { return is_active && (L::kIsExact || element(item) < n); };
  constexpr int kPart = L::kVector == 1 ? 1 : 4;  // of the query, loaded at once
  float q[L::kElements] = {};
#pragma unroll
  for (int i = 0; i < L::kItems; ++i) {
    if (!is_inside(i)) continue;
    const Pack<float, kPart>* const from =
        reinterpret_cast<const Pack<float, kPart>*>(a.q + row * a.q_stride + head * n + element(i));
#pragma unroll
    for (int p = 0; p < L::kVector / kPart; ++p) {
      const Pack<float, kPart> part = from[p];  // may be where the output goes
#pragma unroll
      for (int v = 0; v < kPart; ++v) q[i * L::kVector + p * kPart + v] = a.scale * part.element[v];
    }
  }
  const std::int32_t slot = a.slot[row];
  const std::int64_t place = place_of(a.kv, slot, kIsPaged ? first + min(lane, count - 1) : first);
  for (int begin = 0; begin < count; begin += L::kAhead) {
    Pack<T, L::kVector> k[L::kAhead][L::kItems] = {}, v[L::kAhead][L::kItems] = {};
#pragma unroll
    for (int u = 0; u < L::kAhead; ++u) {
      std::int64_t offset = place + (begin + u) * a.kv.token;
      if constexpr (kIsPaged) offset = __shfl_sync(~0u, place, begin + u);
      if (begin + u >= count) continue;
#pragma unroll
      for (int i = 0; i < L::kItems; ++i) {
        if (!is_inside(i)) continue;
        const std::int64_t at = offset + (head * n + element(i)) * static_cast<int>(sizeof(T));
        k[u][i] = load_once<T, L::kVector>(reinterpret_cast<const T*>(a.kv.k + at));
        v[u][i] = load_once<T, L::kVector>(reinterpret_cast<const T*>(a.kv.v + at));
      }
    }
    float score[L::kAhead], largest = run.largest;
#pragma unroll
    for (int u = 0; u < L::kAhead; ++u) {
      float product = 0;
#pragma unroll
      for (int i = 0; i < L::kItems; ++i) {
#pragma unroll
        for (int e = 0; e < L::kVector; ++e)
          product = fmaf(q[i * L::kVector + e], element_of(k[u][i], e), product);
      }
      score[u] = sum_over_head<L::kLanes>(product, lane);
      if (begin + u >= count) score[u] = -INFINITY;
      largest = fmaxf(largest, score[u]);
    }
    const float shrink = exp2f(run.largest - largest);
    run.largest = largest;
    run.total *= shrink;
#pragma unroll
    for (int e = 0; e < L::kElements; ++e) run.sums[e] *= shrink;
#pragma unroll
    for (int u = 0; u < L::kAhead; ++u) {
      const float weight = exp2f(score[u] - largest);
      run.total += weight;
#pragma unroll
      for (int i = 0; i < L::kItems; ++i) {
#pragma unroll
        for (int e = 0; e < L::kVector; ++e) {
          float& sum = run.sums[i * L::kVector + e];
          sum = fmaf(weight, element_of(v[u][i], e), sum);
        }
      }
    }
  }
}

}  // namespace trisect::vattention
