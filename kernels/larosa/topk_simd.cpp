// The threshold search. Magnitudes order like integers, so the k-th largest is found by bisecting on bits:
//   1. the upper 16 bits of every magnitude go into one array that fits the first-level cache; 15 counting
//   passes over
//      it, 32 lanes at a time, find the upper half of the k-th largest;
//   2. the few entries that share that upper half are gathered, and nth_element on their lower halves
//   finishes it;
//   3. one pass compresses out what is above the threshold, and the first of its ties.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/larosa/topk_simd.cpp"
#include <hwy/foreach_target.h>
//
#include <hwy/highway.h>

#include <algorithm>
#include <numeric>

#include "kernels/core/buffer.hpp"
#include "kernels/larosa/topk_detail.hpp"

HWY_BEFORE_NAMESPACE();
namespace trisect::larosa::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Magnitudes have no sign bit, so they are compared as signed lanes, which every target can do.
using D32 = hn::ScalableTag<std::int32_t>;
using D16 = hn::ScalableTag<std::int16_t>;

HWY_INLINE hn::Vec<D32> magnitudes(D32 d, const float* x) {
  const auto bits = hn::And(hn::BitCast(d, hn::LoadU(hn::Rebind<float, D32>(), x)), hn::Set(d, 0x7fffffff));
  return hn::Min(bits, hn::Set(d, 0x7f800001));
}

/// upper[i] = the upper half of |x[i]|; returns n rounded up to whole vectors, the rest filled with zero,
/// which no threshold above zero counts.
std::size_t extract_upper(const float* x, std::size_t n, std::int16_t* upper) {
  const D32 d32;
  const hn::Rebind<std::int16_t, D32> d16;
  const std::size_t lanes = hn::Lanes(d32);
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    hn::StoreU(hn::DemoteTo(d16, hn::ShiftRight<16>(magnitudes(d32, x + i))), d16, upper + i);
  }
  for (; i < n; ++i) upper[i] = static_cast<std::int16_t>(magnitude(x[i]) >> 16);
  const std::size_t step = 4 * hn::Lanes(D16());
  for (; i % step != 0; ++i) upper[i] = 0;
  return i;
}

/// How many of upper[0..n) are >= bound > 0; n is a multiple of four vectors and below 2^17.
std::size_t count_at_least(const std::int16_t* upper, std::size_t n, std::int16_t bound) {
  const D16 d;
  const std::size_t lanes = hn::Lanes(d);
  const auto limit = hn::Set(d, static_cast<std::int16_t>(bound - 1));
  auto a = hn::Zero(d), b = hn::Zero(d), c = hn::Zero(d), e = hn::Zero(d);
  for (std::size_t i = 0; i < n; i += 4 * lanes) {
    // A true comparison is all ones, minus one.
    a = hn::Sub(a, hn::VecFromMask(d, hn::Gt(hn::Load(d, upper + i), limit)));
    b = hn::Sub(b, hn::VecFromMask(d, hn::Gt(hn::Load(d, upper + i + lanes), limit)));
    c = hn::Sub(c, hn::VecFromMask(d, hn::Gt(hn::Load(d, upper + i + 2 * lanes), limit)));
    e = hn::Sub(e, hn::VecFromMask(d, hn::Gt(hn::Load(d, upper + i + 3 * lanes), limit)));
  }
  alignas(HWY_MAX_BYTES) std::int16_t counts[4 * hn::MaxLanes(D16())];
  hn::Store(a, d, counts);
  hn::Store(b, d, counts + lanes);
  hn::Store(c, d, counts + 2 * lanes);
  hn::Store(e, d, counts + 3 * lanes);
  return static_cast<std::size_t>(std::accumulate(counts, counts + 4 * lanes, 0));
}

/// Writes the entries above the threshold, and the first `ties` of the `equal` ones, in order; exactly k in
/// all.
void compress(const float* x, std::size_t n, std::uint32_t threshold, std::size_t ties, std::size_t equal,
              std::size_t k, std::int32_t* index, float* value) {
  const D32 d;
  const hn::Rebind<float, D32> df;
  const std::size_t lanes = hn::Lanes(d);
  const auto limit = hn::Set(d, static_cast<std::int32_t>(threshold));
  const auto below = hn::Set(d, static_cast<std::int32_t>(threshold) - 1);
  const bool too_many = equal > ties;  // rare
  std::size_t at = 0, i = 0;
  // A whole vector is stored at a time, so the last ones are left to the scalar loop below.
  for (; i + lanes <= n && at + lanes <= k; i += lanes) {
    const auto m = magnitudes(d, x + i);
    const auto keep = hn::Gt(m, below);
    if (HWY_UNLIKELY(too_many)) {
      const std::size_t here = hn::CountTrue(d, hn::Eq(m, limit));
      if (here <= ties) {
        ties -= here;
      } else {  // some of this vector's ties are too many
        for (std::size_t j = i; j < i + lanes; ++j) {
          const std::uint32_t each = magnitude(x[j]);
          if (each < threshold || (each == threshold && ties == 0)) continue;
          if (each == threshold) --ties;
          index[at] = static_cast<std::int32_t>(j);
          value[at++] = x[j];
        }
        continue;
      }
    }
    hn::StoreU(hn::Compress(hn::LoadU(df, x + i), hn::RebindMask(df, keep)), df, value + at);
    hn::StoreU(hn::Compress(hn::Iota(d, static_cast<std::int32_t>(i)), keep), d, index + at);
    at += hn::CountTrue(d, keep);
  }
  for (; at < k; ++i) {
    const std::uint32_t m = magnitude(x[i]);
    if (m < threshold || (m == threshold && ties == 0)) continue;
    if (m == threshold) --ties;
    index[at] = static_cast<std::int32_t>(i);
    value[at++] = x[i];
  }
}

void select_row(const float* x, std::size_t n, std::size_t k, std::int32_t* index, float* value) {
  if (k == 0) return;
  if (k == n) {
    std::iota(index, index + n, 0);
    std::copy_n(x, n, value);
    return;
  }
  constexpr std::size_t kSlack = 4 * HWY_MAX_BYTES;
  thread_local Buffer scratch;
  if (scratch.bytes() < 4 * (n + kSlack)) scratch = Buffer(4 * (n + kSlack));
  std::int16_t* upper = scratch.as<std::int16_t>();
  const std::size_t padded = extract_upper(x, n, upper);

  // The largest bound that at least k entries reach.
  std::uint32_t bound = 0;
  std::size_t above = 0;  // entries beyond every value that `bound` can still take
  for (std::uint32_t bit = 1u << 14; bit != 0; bit >>= 1) {
    const std::size_t count = count_at_least(upper, padded, static_cast<std::int16_t>(bound | bit));
    if (count >= k) {
      bound |= bit;
    } else {
      above = count;
    }
  }

  std::uint16_t* lower = reinterpret_cast<std::uint16_t*>(upper + padded);
  std::size_t candidates = 0;
  const D16 d16;
  const auto wanted = hn::Set(d16, static_cast<std::int16_t>(bound));
  for (std::size_t i = 0; i < n; i += hn::Lanes(d16)) {
    if (hn::AllFalse(d16, hn::Eq(hn::Load(d16, upper + i), wanted))) continue;
    for (std::size_t j = i; j < std::min(n, i + hn::Lanes(d16)); ++j) {
      if (upper[j] == static_cast<std::int16_t>(bound))
        lower[candidates++] = static_cast<std::uint16_t>(magnitude(x[j]));
    }
  }
  const std::size_t rank = k - above;  // of the threshold among the candidates, from one
  std::nth_element(lower, lower + (rank - 1), lower + candidates, std::greater<>());
  const std::uint16_t low = lower[rank - 1];
  const auto larger = std::count_if(lower, lower + (rank - 1), [low](std::uint16_t v) { return v > low; });
  const auto equal = std::count(lower, lower + candidates, low);
  compress(x, n, bound << 16 | low, rank - static_cast<std::size_t>(larger), static_cast<std::size_t>(equal),
           k, index, value);
}

}  // namespace trisect::larosa::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace trisect::larosa {

HWY_EXPORT(select_row);

void topk_bisect(const Topk::Problem& problem, const Topk::Args& args) {
  constexpr int kLongest = 1 << 17;  // beyond it a 16-bit lane could overflow on a target with one lane
  if (problem.n >= kLongest) return topk_nth_element(problem, args);
  const auto n = static_cast<std::size_t>(problem.n);
  const auto k = static_cast<std::size_t>(kept(problem.n, problem.sparsity_permille));
  const auto select = [&](int r) {
    HWY_DYNAMIC_DISPATCH(select_row)
    (args.x.row<float>(r), n, k, args.index.row<std::int32_t>(r), args.value.row<float>(r));
  };
  if (problem.rows == 1) return select(0);  // a team, even of one, costs a tenth of it
#pragma omp parallel for schedule(static)
  for (int r = 0; r < problem.rows; ++r) select(r);
}

}  // namespace trisect::larosa
#endif
