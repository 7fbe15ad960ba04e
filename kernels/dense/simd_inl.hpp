// What the Highway kernels of this family share; included once for each instruction set, after highway.h.
#if defined(TRISECT_KERNELS_DENSE_SIMD_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef TRISECT_KERNELS_DENSE_SIMD_INL_HPP
#undef TRISECT_KERNELS_DENSE_SIMD_INL_HPP
#else
#define TRISECT_KERNELS_DENSE_SIMD_INL_HPP
#endif

#include <hwy/highway.h>

#include "kernels/core/dtype.hpp"

HWY_BEFORE_NAMESPACE();
namespace trisect::dense::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::ScalableTag<float>;
using OneFloat = hn::CappedTag<float, 1>;

/// body(tag, i) for whole vectors at i = 0, lanes, ..., then element by element: nothing beyond n is touched.
template <class Body>
HWY_INLINE void for_each_vector(std::int64_t n, const Body& body) {
  const Floats d;
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes) body(d, i);
  for (; i < n; ++i) body(OneFloat(), i);
}

template <class D>
HWY_INLINE hn::Vec<D> load_f32(D d, const float* p) {
  return hn::LoadU(d, p);
}
template <class D>
HWY_INLINE hn::Vec<D> load_f32(D d, const bf16* p) {
  const hn::Rebind<hwy::bfloat16_t, D> narrow;
  return hn::PromoteTo(d, hn::LoadU(narrow, reinterpret_cast<const hwy::bfloat16_t*>(p)));
}

template <class D>
HWY_INLINE hn::Vec<D> load_f32(D d, const f16* p) {
  const hn::Rebind<hwy::float16_t, D> narrow;
  return hn::PromoteTo(d, hn::LoadU(narrow, reinterpret_cast<const hwy::float16_t*>(p)));
}

}  // namespace trisect::dense::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
