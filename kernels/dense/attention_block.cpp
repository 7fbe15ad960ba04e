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
#include "kernels/dense/simd_inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace trisect::dense::HWY_NAMESPACE {

/// The rows of a group.
template <class T>
struct Rows {
  Rows(const std::byte* base, const RowBlock& block, int group) {
    for (int i = 0; i < kGroup; ++i) at[i] = reinterpret_cast<const T*>(base + block.token(group, i));
  }
  const T* at[kGroup];
};

/// to[i] = the sum of the lanes of the i-th vector.
template <class D, class V = hn::Vec<D>>
HWY_INLINE void sum_lanes([[maybe_unused]] D d, V v0, V v1, V v2, V v3, float* to) {
#if HWY_TARGET == HWY_SCALAR
  to[0] = hn::GetLane(v0), to[1] = hn::GetLane(v1), to[2] = hn::GetLane(v2), to[3] = hn::GetLane(v3);
#else
  const auto add_neighbours = [d](V a, V b) HWY_ATTR {
    return hn::Add(hn::ConcatEven(d, b, a), hn::ConcatOdd(d, b, a));
  };
  auto sums = add_neighbours(add_neighbours(v0, v1), add_neighbours(v2, v3));
  for (std::size_t count = hn::Lanes(d); count > 4; count /= 2) sums = add_neighbours(sums, sums);
  HWY_ALIGN float lanes[HWY_MAX_BYTES / sizeof(float)];
  hn::Store(sums, d, lanes);
  std::copy_n(lanes, 4, to);
#endif
}

template <class T>
void score_keys(int head_dim, const KvSpan& kv, const RowBlock& block, FetchAhead& ahead) {
  const Floats d;
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(d)), n = head_dim;
  for (int group = 0; group < block.groups(); ++group) {
    const Rows<T> k(kv.k, block, group);
    ahead.reached(group);
    for (int h = 0; h < block.heads; ++h) {
      const std::int64_t head = h * n;
      ahead.tick();
      auto s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
      std::int64_t i = head;
      for (; i + lanes <= head + n; i += lanes) {
        const auto q = hn::LoadU(d, block.q + i);
        s0 = hn::MulAdd(q, load_f32(d, k.at[0] + i), s0);
        s1 = hn::MulAdd(q, load_f32(d, k.at[1] + i), s1);
        s2 = hn::MulAdd(q, load_f32(d, k.at[2] + i), s2);
        s3 = hn::MulAdd(q, load_f32(d, k.at[3] + i), s3);
      }
      float* scores = block.scores + h * kBlockKeys + group * kGroup;
      sum_lanes(d, s0, s1, s2, s3, scores);
      for (; i < head + n; ++i) {
        for (int j = 0; j < kGroup; ++j) scores[j] += block.q[i] * to_f32(k.at[j][i]);
      }
    }
  }
}

#if HWY_TARGET != HWY_SCALAR
/// bf16 two at a time: a 32-bit lane holds an even element below an odd one, and each becomes f32 with one
/// shift or mask. Queries and sums are laid out to match: for each vector of pairs first its even elements,
/// then its odd ones. Half vectors suffice, and divide the heads of more models.
using Pair = hn::CappedTag<float, 8>;
using PairBits = hn::RebindToUnsigned<Pair>;

/// GCC 12 loads again what is used twice, rather than keep it, and these loops are bound by loads.
template <class V>
HWY_INLINE V kept(V v) {
#if HWY_ARCH_X86
  __asm__("" : "+v"(v.raw));
#endif
  return v;
}

HWY_INLINE hn::Vec<PairBits> load_pairs(const bf16* p) {
  return kept(hn::LoadU(PairBits(), reinterpret_cast<const std::uint32_t*>(p)));
}
HWY_INLINE hn::Vec<Pair> even_of(hn::Vec<PairBits> pairs) {
  return hn::BitCast(Pair(), hn::ShiftLeft<16>(pairs));
}
HWY_INLINE hn::Vec<Pair> odd_of(hn::Vec<PairBits> pairs) {
  return hn::BitCast(Pair(), hn::And(pairs, hn::Set(PairBits(), 0xffff0000u)));
}

bool heads_are_pairs(int head_dim) { return head_dim % (2 * static_cast<int>(hn::Lanes(Pair()))) == 0; }

void score_pairs(int head_dim, const KvSpan& kv, const RowBlock& block, FetchAhead& ahead) {
  const Pair d;
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(d)), n = head_dim;
  float* q = block.pairs;
  for (std::int64_t i = 0; i < n * block.heads; i += 2 * lanes) {
    hn::Vec<Pair> even, odd;
    hn::LoadInterleaved2(d, block.q + i, even, odd);
    hn::StoreU(even, d, q + i);
    hn::StoreU(odd, d, q + i + lanes);
  }
  for (int group = 0; group < block.groups(); ++group) {
    const Rows<bf16> k(kv.k, block, group);
    ahead.reached(group);
    for (int h = 0; h < block.heads; ++h) {
      ahead.tick();
      auto s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
      for (std::int64_t i = h * n; i < h * n + n; i += 2 * lanes) {
        const auto q_even = kept(hn::LoadU(d, q + i)), q_odd = kept(hn::LoadU(d, q + i + lanes));
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
      sum_lanes(d, s0, s1, s2, s3, block.scores + h * kBlockKeys + group * kGroup);
    }
  }
}

void sum_pairs(int head_dim, const KvSpan& kv, const RowBlock& block, FetchAhead& ahead) {
  const Pair d;
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(d)), n = head_dim;
  const std::int64_t width = n * block.heads;
  float* sums = block.pairs;
  std::fill_n(sums, width, 0.0f);
  for (int group = 0; group < block.groups(); ++group) {
    const Rows<bf16> v(kv.v, block, group);
    ahead.reached(block.groups() + group);
    for (int h = 0; h < block.heads; ++h) {
      ahead.tick();
      const float* weights = block.scores + h * kBlockKeys + group * kGroup;
      const auto w0 = hn::Set(d, weights[0]), w1 = hn::Set(d, weights[1]), w2 = hn::Set(d, weights[2]),
                 w3 = hn::Set(d, weights[3]);
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

/// Scores become weights; those behind the last key are zero, up to whole vectors and groups.
void weigh_keys(int head_dim, const RowBlock& block, FetchAhead& ahead) {
  const Floats d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  const int unit = std::max(lanes, kGroup), padded = (block.keys + unit - 1) / unit * unit;
  const auto scale = hn::Set(d, 1 / std::sqrt(static_cast<float>(head_dim)));
  for (int h = 0; h < block.heads; ++h) {
    ahead.tick();
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
void sum_values(int head_dim, const KvSpan& kv, const RowBlock& block, FetchAhead& ahead) {
  std::fill_n(block.sums, std::int64_t{block.heads} * head_dim, 0.0f);
  for (int group = 0; group < block.groups(); ++group) {
    const Rows<T> v(kv.v, block, group);
    ahead.reached(block.groups() + group);
    for (int h = 0; h < block.heads; ++h) {
      const float* w = block.scores + h * kBlockKeys + group * kGroup;
      const std::int64_t head = std::int64_t{h} * head_dim;
      ahead.tick();
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

template <class T>
void attend_block_of(int head_dim, const KvSpan& kv, const RowBlock& block, FetchAhead& ahead) {
#if HWY_TARGET != HWY_SCALAR
  if (std::is_same_v<T, bf16> && heads_are_pairs(head_dim)) {
    score_pairs(head_dim, kv, block, ahead);
    weigh_keys(head_dim, block, ahead);
    sum_pairs(head_dim, kv, block, ahead);
    return;
  }
#endif
  score_keys<T>(head_dim, kv, block, ahead);
  weigh_keys(head_dim, block, ahead);
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
