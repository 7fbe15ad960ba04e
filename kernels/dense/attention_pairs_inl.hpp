// What attention_block.cpp is made of: the rows of a group, sums over lanes, and two heads of bf16 at a time.
// Included once for each instruction set, after highway.h.
#if defined(TRISECT_KERNELS_DENSE_ATTENTION_PAIRS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef TRISECT_KERNELS_DENSE_ATTENTION_PAIRS_INL_HPP
#undef TRISECT_KERNELS_DENSE_ATTENTION_PAIRS_INL_HPP
#else
#define TRISECT_KERNELS_DENSE_ATTENTION_PAIRS_INL_HPP
#endif

#include <hwy/highway.h>

#include <algorithm>

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

HWY_INLINE float* scores_of(const RowBlock& block, int group, int head) {
  return block.scores + (group * block.heads + head) * kGroup;
}

/// to[i] = the sum of the lanes of the i-th vector.
template <class D, class V = hn::Vec<D>>
HWY_INLINE void sum_lanes([[maybe_unused]] D d, V v0, V v1, V v2, V v3, float* to) {
#if HWY_TARGET == HWY_SCALAR
  to[0] = hn::GetLane(v0), to[1] = hn::GetLane(v1), to[2] = hn::GetLane(v2), to[3] = hn::GetLane(v3);
#else
  const hn::RepartitionToWide<hn::RebindToUnsigned<D>> wide;
  const auto add_neighbours = [d](V a, V b) HWY_ATTR {
    return hn::Add(hn::InterleaveLower(d, a, b), hn::InterleaveUpper(d, a, b));
  };
  const auto u = hn::BitCast(wide, add_neighbours(v0, v1)), w = hn::BitCast(wide, add_neighbours(v2, v3));
  HWY_ALIGN float lanes[HWY_MAX_BYTES / sizeof(float)];  // by fours, of each 128 bits
  hn::Store(hn::Add(hn::BitCast(d, hn::InterleaveLower(wide, u, w)),
                    hn::BitCast(d, hn::InterleaveUpper(wide, u, w))),
            d, lanes);
  const hn::CappedTag<float, 4> four;
  auto sums = hn::Load(four, lanes);
  for (std::size_t i = 4; i < hn::Lanes(d); i += 4) sums = hn::Add(sums, hn::Load(four, lanes + i));
  hn::StoreU(sums, four, to);
#endif
}

#if HWY_TARGET != HWY_SCALAR
/// bf16 two at a time: a 32-bit lane holds an even element below an odd one, and each becomes f32 with one
/// shift or mask. Queries and sums are laid out to match: for each vector of pairs first its even elements,
/// then its odd ones. Heads are taken two at a time too: a head of 80 is two vectors of 32 elements and a
/// half, and the half belongs to the next head.
using Pair = hn::CappedTag<float, 16>;
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

HWY_INLINE bool heads_are_pairs(int head_dim) { return head_dim % static_cast<int>(hn::Lanes(Pair())) == 0; }

/// The last of an odd number is left to others.
HWY_INLINE int paired_heads(const RowBlock& block) { return block.heads / 2 * 2; }

/// The vectors of two heads, kAll of them or, if that is 0, as many as there are: `whole` of the first,
/// perhaps one of both, and those from `last` on of the second.
template <int kAll>
struct TwoHeads {
  explicit TwoHeads(std::int64_t head_dim)
      : all(kAll > 0 ? kAll : head_dim / static_cast<std::int64_t>(hn::Lanes(Pair()))),
        whole(all / 2),
        last(all - whole) {}
  const std::int64_t all, whole, last;
};

template <int kAll>
void score_pairs(int head_dim, const KvSpan& kv, const RowBlock& block, FetchAhead& ahead) {
  const Pair d;
  const std::int64_t step = 2 * static_cast<std::int64_t>(hn::Lanes(d)), n = head_dim;
  const TwoHeads<kAll> two(head_dim);
  const auto lower = hn::FirstN(d, hn::Lanes(d) / 2);
  float* q = block.pairs;
  const int paired = paired_heads(block);
  for (std::int64_t i = 0; i < n * paired; i += step) {
    hn::Vec<Pair> even, odd;
    hn::LoadInterleaved2(d, block.q + i, even, odd);
    hn::StoreU(even, d, q + i);
    hn::StoreU(odd, d, q + i + step / 2);
  }
  for (int group = 0; group < block.groups(); ++group) {
    const Rows<bf16> k(kv.k, block, group);
    ahead.reached(group);
    for (int h = 0; h < paired; h += 2) {
      ahead.tick(h, 2);
      auto a0 = hn::Zero(d), a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
      std::int64_t i = h * n;
      const auto add = [&](auto& s0, auto& s1, auto& s2, auto& s3) HWY_ATTR {
        const auto q_even = kept(hn::LoadU(d, q + i)), q_odd = kept(hn::LoadU(d, q + i + step / 2));
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
        i += step;
      };
#pragma GCC unroll 2
      for (std::int64_t v = 0; v < two.whole; ++v) add(a0, a1, a2, a3);
      if (two.whole < two.last) {
        auto c0 = hn::Zero(d), c1 = c0, c2 = c0, c3 = c0;
        add(c0, c1, c2, c3);
        const auto share = [&](auto c, auto& a, auto& b) HWY_ATTR {
          a = hn::IfThenElse(lower, hn::Add(a, c), a);
          b = hn::IfThenElse(lower, b, c);
        };
        share(c0, a0, b0), share(c1, a1, b1), share(c2, a2, b2), share(c3, a3, b3);
      }
#pragma GCC unroll 2
      for (std::int64_t v = two.last; v < two.all; ++v) add(b0, b1, b2, b3);
      float* scores = scores_of(block, group, h);
      sum_lanes(d, a0, a1, a2, a3, scores);
      sum_lanes(d, b0, b1, b2, b3, scores + kGroup);
    }
  }
}

template <int kAll>
void sum_pairs(int head_dim, const KvSpan& kv, const RowBlock& block, FetchAhead& ahead) {
  const Pair d;
  const std::int64_t step = 2 * static_cast<std::int64_t>(hn::Lanes(d)), n = head_dim;
  const TwoHeads<kAll> two(head_dim);
  const auto lower = hn::FirstN(d, hn::Lanes(d) / 2);
  const int paired = paired_heads(block);
  float* sums = block.sums;
  for (int group = 0; group < block.groups(); ++group) {
    const Rows<bf16> v(kv.v, block, group);
    ahead.reached(block.groups() + group);
    for (int h = 0; h < paired; h += 2) {
      ahead.tick(h, 2);
      const float* w = scores_of(block, group, h);
      const auto a0 = hn::Set(d, w[0]), a1 = hn::Set(d, w[1]), a2 = hn::Set(d, w[2]), a3 = hn::Set(d, w[3]);
      const auto b0 = hn::Set(d, w[4]), b1 = hn::Set(d, w[5]), b2 = hn::Set(d, w[6]), b3 = hn::Set(d, w[7]);
      std::int64_t i = h * n;
      const auto add = [&](auto w0, auto w1, auto w2, auto w3) HWY_ATTR {
        const auto v0 = load_pairs(v.at[0] + i), v1 = load_pairs(v.at[1] + i);
        const auto v2 = load_pairs(v.at[2] + i), v3 = load_pairs(v.at[3] + i);
        auto even = hn::Zero(d), odd = even;
        if (group > 0) even = hn::LoadU(d, sums + i), odd = hn::LoadU(d, sums + i + step / 2);
        even = hn::MulAdd(w0, even_of(v0), even);
        odd = hn::MulAdd(w0, odd_of(v0), odd);
        even = hn::MulAdd(w1, even_of(v1), even);
        odd = hn::MulAdd(w1, odd_of(v1), odd);
        even = hn::MulAdd(w2, even_of(v2), even);
        odd = hn::MulAdd(w2, odd_of(v2), odd);
        even = hn::MulAdd(w3, even_of(v3), even);
        odd = hn::MulAdd(w3, odd_of(v3), odd);
        hn::StoreU(even, d, sums + i);
        hn::StoreU(odd, d, sums + i + step / 2);
        i += step;
      };
#pragma GCC unroll 2
      for (std::int64_t u = 0; u < two.whole; ++u) add(a0, a1, a2, a3);
      if (two.whole < two.last)
        add(hn::IfThenElse(lower, a0, b0), hn::IfThenElse(lower, a1, b1), hn::IfThenElse(lower, a2, b2),
            hn::IfThenElse(lower, a3, b3));
#pragma GCC unroll 2
      for (std::int64_t u = two.last; u < two.all; ++u) add(b0, b1, b2, b3);
    }
  }
  for (std::int64_t i = 0; i < n * paired; i += step)
    hn::StoreInterleaved2(hn::LoadU(d, sums + i), hn::LoadU(d, sums + i + step / 2), d, sums + i);
}
#endif

}  // namespace trisect::dense::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
