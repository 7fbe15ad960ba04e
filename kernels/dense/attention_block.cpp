// A block of keys is read as whole token rows, all heads of a token together: reading head by head would
// leave gaps that the prefetchers fetch anyway.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/dense/attention_block.cpp"
#include <hwy/foreach_target.h>
//
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <type_traits>

#include "kernels/dense/attention_block.hpp"
#include "kernels/dense/attention_pairs_inl.hpp"
#include "kernels/dense/simd_inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace trisect::dense::HWY_NAMESPACE {

template <class T>
void score_keys(int head_dim, const KvSpan& kv, const RowBlock& block, FetchAhead& ahead,
                int first_head = 0) {
  const Floats d;
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(d)), n = head_dim;
  for (int group = 0; group < block.groups(); ++group) {
    const Rows<T> k(kv.k, block, group);
    ahead.reached(group);
    for (int h = first_head; h < block.heads; ++h) {
      const std::int64_t head = h * n;
      ahead.tick(h, 1);
      auto s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
      std::int64_t i = head;
      for (; i + lanes <= head + n; i += lanes) {
        const auto q = hn::LoadU(d, block.q + i);
        s0 = hn::MulAdd(q, load_f32(d, k.at[0] + i), s0);
        s1 = hn::MulAdd(q, load_f32(d, k.at[1] + i), s1);
        s2 = hn::MulAdd(q, load_f32(d, k.at[2] + i), s2);
        s3 = hn::MulAdd(q, load_f32(d, k.at[3] + i), s3);
      }
      float* scores = scores_of(block, group, h);
      sum_lanes(d, s0, s1, s2, s3, scores);
      for (; i < head + n; ++i) {
        for (int j = 0; j < kGroup; ++j) scores[j] += block.q[i] * to_f32(k.at[j][i]);
      }
    }
  }
}

template <class T>
void sum_values(int head_dim, const KvSpan& kv, const RowBlock& block, FetchAhead& ahead,
                int first_head = 0) {
  std::fill_n(block.sums + std::int64_t{first_head} * head_dim,
              std::int64_t{block.heads - first_head} * head_dim, 0.0f);
  for (int group = 0; group < block.groups(); ++group) {
    const Rows<T> v(kv.v, block, group);
    ahead.reached(block.groups() + group);
    for (int h = first_head; h < block.heads; ++h) {
      const float* w = scores_of(block, group, h);
      const std::int64_t head = std::int64_t{h} * head_dim;
      ahead.tick(h, 1);
      for_each_vector(head_dim, [&](auto d, std::int64_t i) HWY_ATTR {
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

/// Scores become weights; those behind the last key are zero.
void weigh_keys(int head_dim, const RowBlock& block) {
  const int groups = block.groups(), columns = block.heads * kGroup;
  const float scale = 1 / std::sqrt(static_cast<float>(head_dim));
  for (int i = block.keys; i < groups * kGroup; ++i) {
    for (int h = 0; h < block.heads; ++h) scores_of(block, i % groups, h)[i / groups] = -INFINITY;
  }
  float* const of_lane = block.of_lane;
  for_each_vector(columns, [&](auto d, std::int64_t c) HWY_ATTR {
    auto largest = hn::LoadU(d, block.scores + c);
    for (int g = 1; g < groups; ++g) largest = hn::Max(largest, hn::LoadU(d, block.scores + g * columns + c));
    hn::StoreU(hn::Mul(largest, hn::Set(d, scale)), d, of_lane + c);
  });
  for (int h = 0; h < block.heads; ++h) {
    float* const lane = of_lane + h * kGroup;
    block.largest[h] = std::max(std::max(lane[0], lane[1]), std::max(lane[2], lane[3]));
    std::fill_n(lane, kGroup, block.largest[h]);
  }
  for_each_vector(columns, [&](auto d, std::int64_t c) HWY_ATTR {
    const auto largest = hn::LoadU(d, of_lane + c);
    auto total = hn::Zero(d);
    for (int g = 0; g < groups; ++g) {
      float* const at = block.scores + g * columns + c;
      const auto weight = hn::Exp(d, hn::MulSub(hn::LoadU(d, at), hn::Set(d, scale), largest));
      hn::StoreU(weight, d, at);
      total = hn::Add(total, weight);
    }
    hn::StoreU(total, d, of_lane + c);
  });
  for (int h = 0; h < block.heads; ++h) {
    const float* const lane = of_lane + h * kGroup;
    block.total[h] = (lane[0] + lane[1]) + (lane[2] + lane[3]);
  }
}

template <class T>
void attend_block_of(int head_dim, const KvSpan& kv, const RowBlock& block, FetchAhead& ahead) {
#if HWY_TARGET != HWY_SCALAR
  if (std::is_same_v<T, bf16> && heads_are_pairs(head_dim)) {
    const bool is_five = head_dim == 5 * static_cast<int>(hn::Lanes(Pair()));
    const int paired = paired_heads(block);
    is_five ? score_pairs<5>(head_dim, kv, block, ahead) : score_pairs<0>(head_dim, kv, block, ahead);
    if (paired < block.heads) score_keys<bf16>(head_dim, kv, block, ahead, paired);
    weigh_keys(head_dim, block);
    is_five ? sum_pairs<5>(head_dim, kv, block, ahead) : sum_pairs<0>(head_dim, kv, block, ahead);
    if (paired < block.heads) sum_values<bf16>(head_dim, kv, block, ahead, paired);
    return;
  }
#endif
  score_keys<T>(head_dim, kv, block, ahead);
  weigh_keys(head_dim, block);
  sum_values<T>(head_dim, kv, block, ahead);
}

void attend(int head_dim, const KvSpan& kv, const RowBlock& block, FetchAhead& ahead) {
  switch (kv.dtype) {
    case Dtype::kBf16:
      return attend_block_of<bf16>(head_dim, kv, block, ahead);
    case Dtype::kF16:
      return attend_block_of<f16>(head_dim, kv, block, ahead);
    default:
      return attend_block_of<float>(head_dim, kv, block, ahead);
  }
}

void merge(const Partials& partials, int first, int last, int head, int head_dim, float* out) {
  float largest = -INFINITY, total = 0;
  for (int b = first; b < last; ++b) largest = std::max(largest, partials.largest(b)[head]);
  for (int b = first; b < last; ++b) {
    float& factor = partials.largest(b)[head];  // nobody asks for it again
    factor = std::exp(factor - largest);
    total += factor * partials.total(b)[head];
  }
  for_each_vector(head_dim, [&](auto d, std::int64_t i) HWY_ATTR {
    auto sum = hn::Zero(d);
    for (int b = first; b < last; ++b) {
      const float* sums = partials.sums(b) + std::int64_t{head} * head_dim;
      sum = hn::MulAdd(hn::Set(d, partials.largest(b)[head]), hn::LoadU(d, sums + i), sum);
    }
    hn::StoreU(hn::Div(sum, hn::Set(d, total)), d, out + i);
  });
}

}  // namespace trisect::dense::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace trisect::dense {

HWY_EXPORT(attend);
HWY_EXPORT(merge);

void attend_block(int head_dim, const KvSpan& kv, const RowBlock& block, FetchAhead& ahead) {
  HWY_DYNAMIC_DISPATCH(attend)(head_dim, kv, block, ahead);
}

void merge_blocks(const Partials& partials, int first, int last, int head, int head_dim, float* out) {
  HWY_DYNAMIC_DISPATCH(merge)(partials, first, last, head, head_dim, out);
}

}  // namespace trisect::dense
#endif
