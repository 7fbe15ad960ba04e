// Attention of many queries over the keys of their sequences: what prefill needs (after Dao, Fu, Ermon,
// Rudra, Re, "FlashAttention", arXiv:2205.14135).
//
// Idea: 32 neighbouring rows of one head share every key and value that is read; the scores never leave the
// SM. A tile of rows is cut where the slot changes, so any mixture of sequences is right, and best is 32 rows
// of one. Everything is f32, the query scaled before it is multiplied: scores cannot overflow, whatever the
// type of the cache. No tensor cores: the products run at the rate of shared memory, which for prompts of a
// few hundred tokens is far below what the matrices of the layer take.
//
// Launch: 128 threads, grid (heads, tiles of rows, the last first, since they see the most keys). Shared
// memory: 37 KB for heads of 128 elements, 25 KB for 80, 21 KB for 64: queries, 32 keys that give way to
// their values, and weights.
#include <cmath>

#include "kernels/core/cuda/error.hpp"
#include "kernels/core/cuda/stream.hpp"
#include "kernels/dense/attention_cuda.hpp"
#include "kernels/dense/kv_place.cuh"
#include "kernels/dense/row_product.cuh"

namespace trisect::dense {
namespace {

constexpr int kThreads = 128, kTileRows = 32, kTileKeys = 32, kLargestHead = 128;
constexpr int kLanes = 8;                                   // that share a row
constexpr int kRowsEach = kTileRows / (kThreads / kLanes);  // rows of a thread
constexpr int kKeysEach = kTileKeys / kLanes;               // and its keys of a tile

struct Tiles {
  const float* q;
  std::int64_t q_stride;
  float* out;
  std::int64_t out_stride;
  const std::int32_t *slot, *position;
  KvSpan kv;
  int rows, head_dim;
  float scale;  // of scores, in powers of two
};

/// Over the lanes of a row, the same in all of them.
template <class Join>
__device__ float over_row(float x, Join join) {
#pragma unroll
  for (int step = kLanes / 2; step > 0; step /= 2) x = join(x, __shfl_xor_sync(~0u, x, step));
  return x;
}

/// kColumns: of a head's elements, those of a lane.
template <class T, int kColumns>
__global__ void __launch_bounds__(kThreads) attention_tiles_kernel(Tiles a) {
  constexpr int kStride = kLanes * kColumns + 1;  // odd: lanes that read side by side meet no bank twice
  __shared__ float q[kTileRows][kStride], kv[kTileKeys][kStride], weight[kTileRows][kTileKeys + 1];
  const int thread = static_cast<int>(threadIdx.x), lane = thread % kLanes,
            mine = thread / kLanes * kRowsEach;
  const int n = a.head_dim, head = static_cast<int>(blockIdx.x) * n;
  const int begin = static_cast<int>(gridDim.y - 1 - blockIdx.y) * kTileRows,
            end = min(begin + kTileRows, a.rows);

  for (int i = thread; i < kTileRows * n; i += kThreads) {
    const int row = begin + i / n;
    q[i / n][i % n] = row < end ? a.scale * a.q[row * a.q_stride + head + i % n] : 0;
  }
  const auto load = [&](const std::byte* base, std::int32_t slot, int first, int keys) {
    for (int i = thread; i < kTileKeys * n; i += kThreads) {
      const int token = first + i / n;
      kv[i / n][i % n] =
          token < keys ? widened(reinterpret_cast<const T*>(base + place_of(a.kv, slot, token))[head + i % n])
                       : 0;
    }
  };

  float largest[kRowsEach], total[kRowsEach] = {}, sum[kRowsEach][kColumns] = {};
  int seen[kRowsEach];  // keys of my rows
#pragma unroll
  for (int r = 0; r < kRowsEach; ++r) {
    largest[r] = -INFINITY;
    seen[r] = begin + mine + r < end ? a.position[begin + mine + r] + 1 : 0;
  }
  for (int first_row = begin, last_row = begin; first_row < end; first_row = last_row) {
    const std::int32_t slot = a.slot[first_row];
    int keys = 0;
    for (; last_row < end && a.slot[last_row] == slot; ++last_row) keys = max(keys, a.position[last_row] + 1);
    for (int first = 0; first < keys; first += kTileKeys) {
      __syncthreads();
      load(a.kv.k, slot, first, keys);
      __syncthreads();
      float score[kRowsEach][kKeysEach] = {};
      for (int i = 0; i < n; ++i) {
#pragma unroll
        for (int k = 0; k < kKeysEach; ++k) {
          const float key = kv[lane + kLanes * k][i];
#pragma unroll
          for (int r = 0; r < kRowsEach; ++r) score[r][k] = fmaf(q[mine + r][i], key, score[r][k]);
        }
      }
      int count[kRowsEach];  // of this tile's keys, how many my rows see
#pragma unroll
      for (int r = 0; r < kRowsEach; ++r) {
        const int row = begin + mine + r;
        count[r] = row >= first_row && row < last_row ? seen[r] - first : 0;
        float high = largest[r];
#pragma unroll
        for (int k = 0; k < kKeysEach; ++k) {
          if (lane + kLanes * k < count[r]) high = fmaxf(high, score[r][k]);
        }
        high = over_row(high, [](float x, float y) { return fmaxf(x, y); });
        if (count[r] > 0) {
          const float share = exp2f(largest[r] - high);
          largest[r] = high;
          total[r] *= share;
#pragma unroll
          for (int c = 0; c < kColumns; ++c) sum[r][c] *= share;
        }
#pragma unroll
        for (int k = 0; k < kKeysEach; ++k) {
          const int key = lane + kLanes * k;
          const float w = key < count[r] ? exp2f(score[r][k] - high) : 0;
          total[r] += w;
          weight[mine + r][key] = w;
        }
      }
      __syncthreads();
      load(a.kv.v, slot, first, keys);
      __syncthreads();
      const int most = min(kTileKeys, keys - first);
      for (int key = 0; key < most; ++key) {
#pragma unroll
        for (int r = 0; r < kRowsEach; ++r) {
          if (key >= count[r]) continue;  // values that it may not see can be NaN
          const float w = weight[mine + r][key];
#pragma unroll
          for (int c = 0; c < kColumns; ++c) sum[r][c] = fmaf(w, kv[key][lane + kLanes * c], sum[r][c]);
        }
      }
    }
  }
#pragma unroll
  for (int r = 0; r < kRowsEach; ++r) {
    const float all = over_row(total[r], [](float x, float y) { return x + y; });
    const int row = begin + mine + r;
    if (row >= end) continue;
#pragma unroll
    for (int c = 0; c < kColumns; ++c) {
      const int column = lane + kLanes * c;
      if (column < n) a.out[row * a.out_stride + head + column] = sum[r][c] / all;
    }
  }
}

template <class T>
void launch(const Tiles& a, int heads) {
  const dim3 grid(static_cast<unsigned>(heads), static_cast<unsigned>((a.rows + kTileRows - 1) / kTileRows));
  const cudaStream_t stream = cuda::current_stream().get();
  if (a.head_dim <= 32) {
    attention_tiles_kernel<T, 4><<<grid, kThreads, 0, stream>>>(a);
  } else if (a.head_dim <= 64) {
    attention_tiles_kernel<T, 8><<<grid, kThreads, 0, stream>>>(a);
  } else if (a.head_dim <= 80) {
    attention_tiles_kernel<T, 10><<<grid, kThreads, 0, stream>>>(a);
  } else {
    attention_tiles_kernel<T, kLargestHead / kLanes><<<grid, kThreads, 0, stream>>>(a);
  }
  TRISECT_CUDA_LAUNCHED(attention_tiles_kernel);
}

void attention_tiles(const Attention::Problem& p, const Attention::Args& args) {
  if (args.q.rows == 0 || p.heads == 0) return;
  const Tiles a{.q = args.q.row<float>(),
                .q_stride = args.q.stride,
                .out = args.out.row<float>(),
                .out_stride = args.out.stride,
                .slot = args.slot.row<std::int32_t>(),
                .position = args.position.row<std::int32_t>(),
                .kv = args.kv,
                .rows = static_cast<int>(args.q.rows),
                .head_dim = p.head_dim,
                .scale = static_cast<float>(1.4426950408889634 / std::sqrt(p.head_dim))};
  switch (args.kv.dtype) {
    case Dtype::kF32:
      return launch<float>(a, p.heads);
    case Dtype::kBf16:
      return launch<bf16>(a, p.heads);
    case Dtype::kF16:
      return launch<f16>(a, p.heads);
    case Dtype::kI32:
      usage_error("{}: keys and values of i32", Attention::name);
  }
}

Availability has_small_heads(const Attention::Problem& p) {
  if (p.head_dim > kLargestHead) return {fmt::format("takes heads of at most {} elements", kLargestHead)};
  return on_cuda(p);
}

}  // namespace

std::span<const VariantOf<Attention::Problem, Attention::Args>> attention_cuda_variants() {
  static const VariantOf<Attention::Problem, Attention::Args> table[] = {
      {.name = "cuda_tiles", .device = Device::kCuda, .available = has_small_heads, .run = attention_tiles}};
  return table;
}

}  // namespace trisect::dense
