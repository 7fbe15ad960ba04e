// Rows that share no keys, as in decoding: bound by reading K and V once. A block of keys is read as whole
// token rows, all heads of a token together: reading head by head would leave gaps that the prefetchers fetch
// anyway.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/dense/attention_rows.cpp"
#include <hwy/foreach_target.h>
//
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/core/threads.hpp"
#include "kernels/dense/attention_detail.hpp"
#include "kernels/dense/simd_inl.hpp"

#ifndef TRISECT_KERNELS_DENSE_ATTENTION_ROWS
#define TRISECT_KERNELS_DENSE_ATTENTION_ROWS
namespace trisect::dense {

constexpr int kBlockKeys = 64;  // whole vectors of any instruction set

/// One query against one block of keys.
struct RowBlock {
  const float* q;
  const std::byte *k, *v;  ///< the block's first token
  int keys;
  float* scores;  ///< scratch, [heads][kBlockKeys]
  /// Results for each head: the largest score, the sum of exp(score - largest), and the sum of values so
  /// weighted.
  float *largest, *total, *sums;
};

/// Where the results of one block of one row lie.
struct Partials {
  float* base;
  std::int64_t heads, width;

  float* largest(int block) const { return base + block * (2 * heads + width); }
  float* total(int block) const { return largest(block) + heads; }
  float* sums(int block) const { return total(block) + heads; }
};

}  // namespace trisect::dense
#endif

HWY_BEFORE_NAMESPACE();
namespace trisect::dense::HWY_NAMESPACE {

/// The t-th token of each quarter of a block: four streams that run on through memory. One that would lie
/// beyond the block is the last token once more.
template <class T>
struct FourTokens {
  FourTokens(const std::byte* base, std::int64_t stride, int t, int keys) {
    for (int i = 0; i < 4; ++i) {
      index[i] = t + i * quarter(keys);
      at[i] = reinterpret_cast<const T*>(base + std::min(index[i], keys - 1) * stride);
    }
  }
  static int quarter(int keys) { return (keys + 3) / 4; }

  int index[4];
  const T* at[4];
};

/// to[i] = the sum of the lanes of the i-th vector.
template <class V>
HWY_INLINE void sum_lanes(V v0, V v1, V v2, V v3, float* to) {
#if HWY_TARGET == HWY_SCALAR
  to[0] = hn::GetLane(v0), to[1] = hn::GetLane(v1), to[2] = hn::GetLane(v2), to[3] = hn::GetLane(v3);
#else
  const Floats d;
  const auto add_neighbours = [d](V a, V b) HWY_ATTR {
    return hn::Add(hn::ConcatEven(d, b, a), hn::ConcatOdd(d, b, a));
  };
  const std::size_t quarter = hn::Lanes(d) / 4;
  HWY_ALIGN float lanes[HWY_MAX_BYTES / sizeof(float)];
  hn::Store(add_neighbours(add_neighbours(v0, v1), add_neighbours(v2, v3)), d, lanes);
  for (std::size_t i = 0; i < 4; ++i)
    to[i] = std::accumulate(lanes + i * quarter, lanes + (i + 1) * quarter, 0.0f);
#endif
}

template <class T>
void score_keys(const Attention::Problem& problem, const Attention::Args& args, const RowBlock& block) {
  const Floats d;
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(d)), n = problem.head_dim;
  for (int t = 0; t < FourTokens<T>::quarter(block.keys); ++t) {
    const FourTokens<T> k(block.k, args.kv.token, t, block.keys);
    for (int h = 0; h < problem.heads; ++h) {
      const std::int64_t head = h * n;
      auto s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
      std::int64_t i = head;
      for (; i + lanes <= head + n; i += lanes) {
        const auto q = hn::LoadU(d, block.q + i);
        s0 = hn::MulAdd(q, load_f32(d, k.at[0] + i), s0);
        s1 = hn::MulAdd(q, load_f32(d, k.at[1] + i), s1);
        s2 = hn::MulAdd(q, load_f32(d, k.at[2] + i), s2);
        s3 = hn::MulAdd(q, load_f32(d, k.at[3] + i), s3);
      }
      float sum[4];
      sum_lanes(s0, s1, s2, s3, sum);
      for (; i < head + n; ++i) {
        for (int j = 0; j < 4; ++j) sum[j] += block.q[i] * to_f32(k.at[j][i]);
      }
      for (int j = 0; j < 4; ++j)
        block.scores[h * kBlockKeys + std::min(k.index[j], block.keys - 1)] = sum[j];
    }
  }
}

void weigh_keys(const Attention::Problem& problem, const RowBlock& block) {
  const Floats d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  const int padded = (block.keys + lanes - 1) / lanes * lanes;
  const auto scale = hn::Set(d, 1 / std::sqrt(static_cast<float>(problem.head_dim)));
  for (int h = 0; h < problem.heads; ++h) {
    float* s = block.scores + h * kBlockKeys;
    std::fill(s + block.keys, s + padded, -INFINITY);
    auto largest = hn::LoadU(d, s);
    for (int t = lanes; t < padded; t += lanes) largest = hn::Max(largest, hn::LoadU(d, s + t));
    largest = hn::Mul(hn::MaxOfLanes(d, largest), scale);
    auto total = hn::Zero(d);
    for (int t = 0; t < padded; t += lanes) {
      const auto weight = hn::Exp(d, hn::MulSub(hn::LoadU(d, s + t), scale, largest));
      hn::StoreU(weight, d, s + t);
      total = hn::Add(total, weight);
    }
    block.largest[h] = hn::GetLane(largest);
    block.total[h] = hn::GetLane(hn::SumOfLanes(d, total));
  }
}

template <class T>
void sum_values(const Attention::Problem& problem, const Attention::Args& args, const RowBlock& block) {
  std::fill_n(block.sums, std::int64_t{problem.heads} * problem.head_dim, 0.0f);
  for (int t = 0; t < FourTokens<T>::quarter(block.keys); ++t) {
    const FourTokens<T> v(block.v, args.kv.token, t, block.keys);
    for (int h = 0; h < problem.heads; ++h) {
      float w[4];
      for (int j = 0; j < 4; ++j)
        w[j] = v.index[j] < block.keys ? block.scores[h * kBlockKeys + v.index[j]] : 0.0f;
      const std::int64_t head = std::int64_t{h} * problem.head_dim;
      for_each_vector(problem.head_dim, [&](auto d, std::int64_t i) HWY_ATTR {
        i += head;
        auto a = hn::MulAdd(hn::Set(d, w[0]), load_f32(d, v.at[0] + i), hn::LoadU(d, block.sums + i));
        auto b = hn::Mul(hn::Set(d, w[1]), load_f32(d, v.at[1] + i));
        a = hn::MulAdd(hn::Set(d, w[2]), load_f32(d, v.at[2] + i), a);
        b = hn::MulAdd(hn::Set(d, w[3]), load_f32(d, v.at[3] + i), b);
        hn::StoreU(hn::Add(a, b), d, block.sums + i);
      });
    }
  }
}

void attend_block(const Attention::Problem& problem, const Attention::Args& args, const RowBlock& block) {
  const bool narrow = problem.dtype == Dtype::kBf16;
  narrow ? score_keys<bf16>(problem, args, block) : score_keys<float>(problem, args, block);
  weigh_keys(problem, block);
  narrow ? sum_values<bf16>(problem, args, block) : sum_values<float>(problem, args, block);
}

/// One head of a row, whose blocks are [first, last): out = the mean of its values.
void merge_blocks(const Partials& partials, int first, int last, int head, int head_dim, float* out) {
  float largest = -INFINITY, total = 0;
  for (int b = first; b < last; ++b) largest = std::max(largest, partials.largest(b)[head]);
  std::fill_n(out, head_dim, 0.0f);
  for (int b = first; b < last; ++b) {
    const float factor = std::exp(partials.largest(b)[head] - largest);
    const float* sums = partials.sums(b) + std::int64_t{head} * head_dim;
    total += factor * partials.total(b)[head];
    for_each_vector(head_dim, [&](auto d, std::int64_t i) HWY_ATTR {
      hn::StoreU(hn::MulAdd(hn::Set(d, factor), hn::LoadU(d, sums + i), hn::LoadU(d, out + i)), d, out + i);
    });
  }
  for_each_vector(head_dim, [&](auto d, std::int64_t i) HWY_ATTR {
    hn::StoreU(hn::Div(hn::LoadU(d, out + i), hn::Set(d, total)), d, out + i);
  });
}

}  // namespace trisect::dense::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace trisect::dense {
namespace {

HWY_EXPORT(attend_block);
HWY_EXPORT(merge_blocks);

/// Bounds the scratch of a pass: its partial results are a few MB for phi-2.
constexpr int kMostBlocks = 256;

int blocks_of(int position) { return position / kBlockKeys + 1; }

}  // namespace

void attend_rows(const Attention::Problem& problem, const Attention::Args& args, int first, int last) {
  const std::int32_t *slot = args.slot.row<std::int32_t>(), *position = args.position.row<std::int32_t>();
  const std::int64_t heads = problem.heads, width = heads * problem.head_dim;
  while (first < last) {
    int start[kMostBlocks + 1] = {};  // start[i]: blocks before row first + i
    int rows = 0;
    do {
      start[rows + 1] = start[rows] + blocks_of(position[first + rows]);
      ++rows;
    } while (first + rows < last && start[rows] + blocks_of(position[first + rows]) <= kMostBlocks);
    const int blocks = start[rows];

    thread_local Scratch scratch;
    const std::int64_t of_partials = blocks * (2 * heads + width), of_scores = heads * kBlockKeys;
    float* floats = scratch.reserve<float>(of_partials + thread_count() * of_scores);
    const Partials partials{floats, heads, width};
#pragma omp parallel
    {
      float* scores = floats + of_partials + omp_get_thread_num() * of_scores;
#pragma omp for schedule(dynamic)
      for (int b = 0; b < blocks; ++b) {
        const int i = static_cast<int>(std::upper_bound(start, start + rows, b) - start) - 1;
        const int row = first + i, key = (b - start[i]) * kBlockKeys;
        const std::int64_t offset = slot[row] * args.kv.slot + key * args.kv.token;
        HWY_DYNAMIC_DISPATCH(attend_block)
        (problem, args,
         {args.q.row<float>(row), args.kv.k + offset, args.kv.v + offset,
          std::min(kBlockKeys, position[row] + 1 - key), scores, partials.largest(b), partials.total(b),
          partials.sums(b)});
      }
#pragma omp for schedule(static)
      for (std::int64_t i = 0; i < rows * heads; ++i) {
        const int row = static_cast<int>(i / heads), head = static_cast<int>(i % heads);
        HWY_DYNAMIC_DISPATCH(merge_blocks)
        (partials, start[row], start[row + 1], head, problem.head_dim,
         args.out.row<float>(first + row) + std::int64_t{head} * problem.head_dim);
      }
    }
    first += rows;
  }
}

}  // namespace trisect::dense
#endif
