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
#include <type_traits>

#include "kernels/core/threads.hpp"
#include "kernels/dense/attention_detail.hpp"
#include "kernels/dense/simd_inl.hpp"

#ifndef TRISECT_KERNELS_DENSE_ATTENTION_ROWS
#define TRISECT_KERNELS_DENSE_ATTENTION_ROWS
namespace trisect::dense {

constexpr int kBlockKeys = 64;    // whole vectors of any instruction set
constexpr int kMostSums = 4 * 8;  // of a head: lanes of the sums for four tokens

/// One query against one block of keys.
struct RowBlock {
  const float* q;
  std::int64_t offset[kBlockKeys];  ///< of the block's tokens, from the bases of K and V
  int keys;
  float* scores;  ///< scratch, [heads][kBlockKeys]
  float* pairs;   ///< scratch, [heads * head_dim + heads * kMostSums]
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
  FourTokens(const std::byte* base, const RowBlock& block, int t) {
    const int keys = block.keys;
    for (int i = 0; i < 4; ++i) {
      index[i] = t + i * quarter(keys);
      at[i] = reinterpret_cast<const T*>(base + block.offset[std::min(index[i], keys - 1)]);
      next[i] = reinterpret_cast<const T*>(base + block.offset[std::min(index[i] + 1, keys - 1)]);
    }
  }
  static int quarter(int keys) { return (keys + 3) / 4; }

  /// Asks for elements [first, last) of the tokens after these: where layers lie interleaved a row ends
  /// within a page or two, and with it what the processor fetches ahead by itself. Into the second-level
  /// cache: four rows and the next four do not fit into the first.
  HWY_INLINE void prefetch(std::int64_t first, std::int64_t last) const {
    constexpr std::int64_t kLine = 64 / sizeof(T);
    for (std::int64_t i = first; i < last; i += kLine) {
      __builtin_prefetch(next[0] + i, 0, 2);
      __builtin_prefetch(next[1] + i, 0, 2);
      __builtin_prefetch(next[2] + i, 0, 2);
      __builtin_prefetch(next[3] + i, 0, 2);
    }
  }

  int index[4];
  const T *at[4], *next[4];
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
    const FourTokens<T> k(args.kv.k, block, t);
    for (int h = 0; h < problem.heads; ++h) {
      const std::int64_t head = h * n;
      k.prefetch(head, head + n);
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

#if HWY_TARGET != HWY_SCALAR
/// bf16 two at a time: a 32-bit lane holds an even element below an odd one, and each becomes f32 with one
/// shift or mask. Queries and sums are laid out to match: for each vector of pairs first its even elements,
/// then its odd ones. Half vectors suffice, and divide the heads of more models.
using Pair = hn::CappedTag<float, 8>;
using PairBits = hn::RebindToUnsigned<Pair>;

HWY_INLINE hn::Vec<PairBits> load_pairs(const bf16* p) {
  return hn::LoadU(PairBits(), reinterpret_cast<const std::uint32_t*>(p));
}
HWY_INLINE hn::Vec<Pair> even_of(hn::Vec<PairBits> pairs) {
  return hn::BitCast(Pair(), hn::ShiftLeft<16>(pairs));
}
HWY_INLINE hn::Vec<Pair> odd_of(hn::Vec<PairBits> pairs) {
  return hn::BitCast(Pair(), hn::And(pairs, hn::Set(PairBits(), 0xffff0000u)));
}

bool heads_are_pairs(const Attention::Problem& problem) {
  return problem.head_dim % (2 * static_cast<int>(hn::Lanes(Pair()))) == 0;
}

/// to[i] = the sum of the `group` floats from[i * group ...], i < count; both powers of two times whole
/// vectors.
void sum_groups(float* from, std::int64_t group, std::int64_t count) {
  const Pair d;
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(d));
  for (; group >= 2; group /= 2) {
    for (std::int64_t i = 0; i < count * group / 2; i += lanes) {
      hn::Vec<Pair> a, b;
      hn::LoadInterleaved2(d, from + 2 * i, a, b);
      hn::StoreU(hn::Add(a, b), d, from + i);
    }
  }
}

void score_pairs(const Attention::Problem& problem, const Attention::Args& args, const RowBlock& block) {
  const Pair d;
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(d)), n = problem.head_dim;
  const std::int64_t width = n * problem.heads;
  float* q = block.pairs;
  for (std::int64_t i = 0; i < width; i += 2 * lanes) {
    hn::Vec<Pair> even, odd;
    hn::LoadInterleaved2(d, block.q + i, even, odd);
    hn::StoreU(even, d, q + i);
    hn::StoreU(odd, d, q + i + lanes);
  }
  float* sums = q + width;  // [heads][4][lanes], and room for whole vectors
  for (int t = 0; t < FourTokens<bf16>::quarter(block.keys); ++t) {
    const FourTokens<bf16> k(args.kv.k, block, t);
    for (int h = 0; h < problem.heads; ++h) {
      k.prefetch(h * n, h * n + n);
      auto s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
      for (std::int64_t i = h * n; i < h * n + n; i += 2 * lanes) {
        const auto q_even = hn::LoadU(d, q + i), q_odd = hn::LoadU(d, q + i + lanes);
        const auto k0 = load_pairs(k.at[0] + i), k1 = load_pairs(k.at[1] + i);
        const auto k2 = load_pairs(k.at[2] + i), k3 = load_pairs(k.at[3] + i);
        s0 = hn::MulAdd(q_even, even_of(k0), s0);
        s1 = hn::MulAdd(q_even, even_of(k1), s1);
        s2 = hn::MulAdd(q_even, even_of(k2), s2);
        s3 = hn::MulAdd(q_even, even_of(k3), s3);
        s0 = hn::MulAdd(q_odd, odd_of(k0), s0);
        s1 = hn::MulAdd(q_odd, odd_of(k1), s1);
        s2 = hn::MulAdd(q_odd, odd_of(k2), s2);
        s3 = hn::MulAdd(q_odd, odd_of(k3), s3);
      }
      float* to = sums + h * 4 * lanes;
      hn::StoreU(s0, d, to);
      hn::StoreU(s1, d, to + lanes);
      hn::StoreU(s2, d, to + 2 * lanes);
      hn::StoreU(s3, d, to + 3 * lanes);
    }
    sum_groups(sums, lanes, 4 * std::int64_t{problem.heads});
    for (int h = 0; h < problem.heads; ++h) {
      for (int j = 0; j < 4; ++j)
        block.scores[h * kBlockKeys + std::min(k.index[j], block.keys - 1)] = sums[4 * h + j];
    }
  }
}

void sum_pairs(const Attention::Problem& problem, const Attention::Args& args, const RowBlock& block) {
  const Pair d;
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(d)), n = problem.head_dim;
  const std::int64_t width = n * problem.heads;
  float* sums = block.pairs;
  std::fill_n(sums, width, 0.0f);
  for (int t = 0; t < FourTokens<bf16>::quarter(block.keys); ++t) {
    const FourTokens<bf16> v(args.kv.v, block, t);
    for (int h = 0; h < problem.heads; ++h) {
      v.prefetch(h * n, h * n + n);
      const float* scores = block.scores + h * kBlockKeys;
      const auto weight = [&](int j) HWY_ATTR {
        return hn::Set(d, v.index[j] < block.keys ? scores[v.index[j]] : 0.0f);
      };
      const auto w0 = weight(0), w1 = weight(1), w2 = weight(2), w3 = weight(3);
      for (std::int64_t i = h * n; i < h * n + n; i += 2 * lanes) {
        const auto v0 = load_pairs(v.at[0] + i), v1 = load_pairs(v.at[1] + i);
        const auto v2 = load_pairs(v.at[2] + i), v3 = load_pairs(v.at[3] + i);
        auto even = hn::MulAdd(w0, even_of(v0), hn::LoadU(d, sums + i));
        auto odd = hn::MulAdd(w0, odd_of(v0), hn::LoadU(d, sums + i + lanes));
        even = hn::MulAdd(w1, even_of(v1), even);
        odd = hn::MulAdd(w1, odd_of(v1), odd);
        even = hn::MulAdd(w2, even_of(v2), even);
        odd = hn::MulAdd(w2, odd_of(v2), odd);
        even = hn::MulAdd(w3, even_of(v3), even);
        odd = hn::MulAdd(w3, odd_of(v3), odd);
        hn::StoreU(even, d, sums + i);
        hn::StoreU(odd, d, sums + i + lanes);
      }
    }
  }
  for (std::int64_t i = 0; i < width; i += 2 * lanes)
    hn::StoreInterleaved2(hn::LoadU(d, sums + i), hn::LoadU(d, sums + i + lanes), d, block.sums + i);
}
#endif

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
    const FourTokens<T> v(args.kv.v, block, t);
    for (int h = 0; h < problem.heads; ++h) {
      float w[4];
      for (int j = 0; j < 4; ++j)
        w[j] = v.index[j] < block.keys ? block.scores[h * kBlockKeys + v.index[j]] : 0.0f;
      const std::int64_t head = std::int64_t{h} * problem.head_dim;
      v.prefetch(head, head + problem.head_dim);
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

template <class T>
void attend_block_of(const Attention::Problem& problem, const Attention::Args& args, const RowBlock& block) {
#if HWY_TARGET != HWY_SCALAR
  if (std::is_same_v<T, bf16> && heads_are_pairs(problem)) {
    score_pairs(problem, args, block);
    weigh_keys(problem, block);
    sum_pairs(problem, args, block);
    return;
  }
#endif
  score_keys<T>(problem, args, block);
  weigh_keys(problem, block);
  sum_values<T>(problem, args, block);
}

void attend_block(const Attention::Problem& problem, const Attention::Args& args, const RowBlock& block) {
  switch (problem.dtype) {
    case Dtype::kBf16:
      return attend_block_of<bf16>(problem, args, block);
    case Dtype::kF16:
      return attend_block_of<f16>(problem, args, block);
    default:
      return attend_block_of<float>(problem, args, block);
  }
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
    const std::int64_t of_partials = blocks * (2 * heads + width),
                       of_thread = heads * (kBlockKeys + kMostSums) + width;
    float* floats = scratch.reserve<float>(of_partials + thread_count() * of_thread);
    const Partials partials{floats, heads, width};
    // Few keys are divided by heads too, so that no thread stands idle.
    const int shares = std::min(problem.heads, (thread_count() + blocks - 1) / blocks);
#pragma omp parallel
    {
      float* scores = floats + of_partials + omp_get_thread_num() * of_thread;
#pragma omp for schedule(dynamic)
      for (int part = 0; part < blocks * shares; ++part) {
        const int b = part / shares;
        const int i = static_cast<int>(std::upper_bound(start, start + rows, b) - start) - 1;
        const int row = first + i, key = (b - start[i]) * kBlockKeys;
        const Range mine = split(heads, part % shares, shares);
        const std::int64_t column = mine.first * problem.head_dim;
        Attention::Problem share = problem;
        share.heads = static_cast<int>(mine.last - mine.first);
        RowBlock block{.q = args.q.row<float>(row) + column,
                       .offset = {},
                       .keys = std::min(kBlockKeys, position[row] + 1 - key),
                       .scores = scores,
                       .pairs = scores + heads * kBlockKeys,
                       .largest = partials.largest(b) + mine.first,
                       .total = partials.total(b) + mine.first,
                       .sums = partials.sums(b) + column};
        const std::int64_t of_column = column * static_cast<std::int64_t>(size_of(problem.dtype));
        for (int t = 0; t < block.keys; ++t) block.offset[t] = args.kv.offset(slot[row], key + t) + of_column;
        HWY_DYNAMIC_DISPATCH(attend_block)(share, args, block);
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
