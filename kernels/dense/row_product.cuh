// The product of vectors with chosen rows of an input-major matrix on the GPU: device code shared by
// dense/gemv, larosa/rotate, larosa/sparse_gemv and the fused projection of larosa/layer.
//
// Idea: the limit is reading the chosen rows once, so every SM must have many long reads in flight until the
// very end.
//   - The columns are cut into tiles of 32 lanes x 16 bytes. The work is the sequence of (tile, chosen row), tile
//     by tile; each block takes an equal part of it, wherever that begins and ends, so there is no tail: parts
//     differ by one row.
//   - In a block the warps divide the rows of the part. A warp reads 512 contiguous bytes of a row at once, and
//     kAhead rows before it uses the first: 2 blocks x 16 warps x 4 rows x 512 bytes are 64 KB in flight on an
//     SM, and 64 registers hold them without spilling (docs/kernels.md). The indices of the next 32 rows are
//     fetched while these are multiplied.
//   - Sums: f32 in registers; over the warps through shared memory; over the blocks that share a tile through
//     global memory, added up in the order of the blocks by the last of them to arrive. The result does not
//     depend on who is last, so it is the same in every run on the same device.
//
// Launch: at most two blocks of 512 threads an SM, x rows of activations as grid.y where each has its own
// indices. Shared memory: 18 KB (16 partial tiles, padded so that neither writing nor reading them meets a
// bank twice).
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstdint>

#include "kernels/core/dtype.hpp"
#include "kernels/dense/row_product_launch.hpp"

namespace trisect::dense {

/// kVector elements that one lane loads at once.
template <class W, int kVector>
struct alignas(sizeof(W) * kVector) Pack {
  W element[kVector];
};

/// Weights are read once: past the first-level cache, which the activations keep.
template <class W, int kVector>
__device__ Pack<W, kVector> load_once(const W* from) {
  Pack<W, kVector> pack;
  if constexpr (sizeof(pack) == 16) {
    uint4& to = reinterpret_cast<uint4&>(pack);
    asm("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
        : "=r"(to.x), "=r"(to.y), "=r"(to.z), "=r"(to.w)
        : "l"(from));
  } else {
    pack = *reinterpret_cast<const Pack<W, kVector>*>(from);
  }
  return pack;
}

__device__ inline float widened(float value) { return value; }
__device__ inline float widened(f16 value) { return __half2float(__ushort_as_half(value.bits)); }
__device__ inline float widened(bf16 value) { return __uint_as_float(std::uint32_t{value.bits} << 16); }

/// What all blocks of a launch share. `rows` vectors of `count` factors each.
template <class W>
struct ProductArgs {
  const W* w;
  std::int64_t w_stride;
  const float* bias;  // or null
  float* y;
  std::int64_t y_stride;
  int count, out;
  bool accumulate;
  float* partials;          // (blocks + tiles) tiles of each row
  std::uint32_t* counters;  // one a tile, zero before and after
};

/// Columns of a tile.
template <int kVector>
inline constexpr int kTile = 32 * kVector;

/// In shared memory: a tile of each warp. Lanes write 16 bytes at a time, a half of eight columns each; the
/// gap between the halves lets both be read in order without conflicts.
template <int kVector>
struct ProductShared {
  static constexpr int kGap = kVector == 8 ? 16 : 0;
  alignas(16) float sums[kProductWarps][kTile<kVector> + 2 * kGap];
  bool is_last;

  static __device__ int place(int column) {
    if constexpr (kVector == 8)
      return column / 8 * 4 + column % 4 + (column % 8 < 4 ? 0 : kTile<8> / 2 + kGap);
    return column;
  }
};

/// One row of the sequence that a warp works on.
template <int kRows>
struct Factors {
  int row = 0;
  float value[kRows] = {};
};

/// Adds value(r, j) * w[row(j)][column...] to sums[r] for j in [first, last), in that order. All lanes of a
/// warp call it; `source.get(j)` gives a lane the j-th row and its factors.
template <class W, int kVector, int kRows, int kAhead, class Source>
__device__ void multiply_rows(const W* w, std::int64_t stride, bool is_inside, const Source& source,
                              int first, int last, float (&sums)[kRows][kVector]) {
  const int lane = static_cast<int>(threadIdx.x % 32);
  Factors<kRows> mine;
  if (first + lane < last) mine = source.get(first + lane);
  for (int begin = first; begin < last; begin += 32) {
    Factors<kRows> next;
    if (begin + 32 + lane < last) next = source.get(begin + 32 + lane);
    const int here = min(32, last - begin);
#pragma unroll 1
    for (int j = 0; j < here; j += kAhead) {
      Pack<W, kVector> pack[kAhead];
#pragma unroll
      for (int u = 0; u < kAhead; ++u) {
        const int row = __shfl_sync(~0u, mine.row, (j + u) % 32);
        if (is_inside && j + u < here) pack[u] = load_once<W, kVector>(w + row * stride);
      }
#pragma unroll
      for (int u = 0; u < kAhead; ++u) {
#pragma unroll
        for (int r = 0; r < kRows; ++r) {
          const float value = __shfl_sync(~0u, mine.value[r], (j + u) % 32);
          if (is_inside && j + u < here) {
#pragma unroll
            for (int v = 0; v < kVector; ++v)
              sums[r][v] = fmaf(value, widened(pack[u].element[v]), sums[r][v]);
          }
        }
      }
    }
    mine = next;
  }
}

/// Stores a warp's sums of one row in shared memory.
template <int kVector>
__device__ void put(ProductShared<kVector>& shared, const float (&sums)[kVector]) {
  const int lane = static_cast<int>(threadIdx.x % 32);
  float* const to = shared.sums[threadIdx.x / 32];
  if constexpr (kVector == 1) {
    to[lane] = sums[0];
  } else {
#pragma unroll
    for (int half = 0; half < kVector / 4; ++half) {
      const float* from = sums + 4 * half;
      float4* const place =
          reinterpret_cast<float4*>(to + ProductShared<kVector>::place(lane * kVector + 4 * half));
      *place = make_float4(from[0], from[1], from[2], from[3]);
    }
  }
}

/// Where the part of a block begins in the sequence of (tile, chosen row); the next block's is its end.
/// Without any row there is one step a tile all the same, in which nothing is added.
__device__ inline std::int64_t part_begin(int tiles, int count, int block, int blocks) {
  return std::int64_t{tiles} * max(count, 1) * block / blocks;
}

template <class W>
__device__ void finish(const ProductArgs<W>& a, float* y, int column, float sum) {
  if (a.bias != nullptr) sum += a.bias[column];
  if (a.accumulate) sum += y[column];
  y[column] = sum;
}

/// The whole product, by all blocks of grid.x, for kRows vectors at once: y + r * y_stride is where they go.
/// kAtomic adds to y, which must hold what to add to, in no fixed order.
template <class W, int kVector, int kRows, int kAhead, bool kAtomic, class Source>
__device__ void product(const ProductArgs<W>& a, const Source& source, ProductShared<kVector>& shared) {
  constexpr int kColumns = kTile<kVector>;
  const int warp = static_cast<int>(threadIdx.x / 32), lane = static_cast<int>(threadIdx.x % 32);
  const int tiles = (a.out + kColumns - 1) / kColumns;
  const int blocks = static_cast<int>(gridDim.x), block = static_cast<int>(blockIdx.x);
  const int steps = max(a.count, 1);
  const auto block_of = [&](std::int64_t step) {  // the one that works on it
    return static_cast<int>(((step + 1) * blocks - 1) / (std::int64_t{tiles} * steps));
  };
  const std::int64_t end = part_begin(tiles, a.count, block + 1, blocks);
  for (std::int64_t at = part_begin(tiles, a.count, block, blocks); at < end;) {
    const int tile = static_cast<int>(at / steps), first = static_cast<int>(at % steps);
    const int last = static_cast<int>(min(std::int64_t{steps}, end - at + first));
    const int rows = min(last, a.count) - first;
    at += last - first;
    float sums[kRows][kVector] = {};
    const int column = tile * kColumns + lane * kVector;
    multiply_rows<W, kVector, kRows, kAhead>(a.w + column, a.w_stride, column < a.out, source,
                                             first + rows * warp / kProductWarps,
                                             first + rows * (warp + 1) / kProductWarps, sums);

    const bool is_whole = first == 0 && last == steps;
    const int mine = tile * kColumns + static_cast<int>(threadIdx.x);
    const bool is_mine = static_cast<int>(threadIdx.x) < kColumns && mine < a.out;
    const auto partial =
        [&](int b, int r) {  // steps from one part to the next go to another block, or tile, or both
          return a.partials + (std::int64_t{b + tile} * kRows + r) * kColumns + threadIdx.x;
        };
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      __syncthreads();
      put<kVector>(shared, sums[r]);
      __syncthreads();
      if (!is_mine) continue;
      float sum = 0;
#pragma unroll
      for (int each = 0; each < kProductWarps; ++each)
        sum += shared.sums[each][shared.place(static_cast<int>(threadIdx.x))];
      float* const y = a.y + r * a.y_stride;
      if constexpr (kAtomic) {
        atomicAdd(y + mine, sum);
      } else if (is_whole) {
        finish(a, y, mine, sum);
      } else {
        *partial(block, r) = sum;
      }
    }
    if (kAtomic || is_whole) continue;

    const std::int64_t tile_begin = std::int64_t{tile} * steps;
    const int first_block = block_of(tile_begin), last_block = block_of(tile_begin + steps - 1);
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0) {
      shared.is_last =
          atomicAdd(&a.counters[tile], 1u) == static_cast<std::uint32_t>(last_block - first_block);
      if (shared.is_last) a.counters[tile] = 0;
    }
    __syncthreads();
    if (!shared.is_last || !is_mine) continue;
    __threadfence();
    for (int r = 0; r < kRows; ++r) {
      float sum = 0;
#pragma unroll 8
      for (int b = first_block; b <= last_block; ++b) sum += __ldcg(partial(b, r));
      finish(a, a.y + r * a.y_stride, mine, sum);
    }
  }
}

}  // namespace trisect::dense
