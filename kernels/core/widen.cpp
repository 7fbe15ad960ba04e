#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/core/widen.cpp"
#include <hwy/foreach_target.h>
//
#include <hwy/highway.h>

#include "kernels/core/widen.hpp"

HWY_BEFORE_NAMESPACE();
namespace trisect::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void widen(const f16* from, float* to, std::size_t n) {
  std::size_t i = 0;
#if !HWY_ARCH_X86 || HWY_TARGET <= HWY_AVX2  // Highway's own way on older ones makes a number of infinity
  const hn::ScalableTag<float> d;
  const hn::Rebind<hwy::float16_t, decltype(d)> narrow;
  const std::size_t lanes = hn::Lanes(d);
  for (; i + lanes <= n; i += lanes) {
    const auto halves = hn::LoadU(narrow, reinterpret_cast<const hwy::float16_t*>(from + i));
    hn::StoreU(hn::PromoteTo(d, halves), d, to + i);
  }
#endif
  for (; i < n; ++i) to[i] = to_f32(from[i]);
}

}  // namespace trisect::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace trisect {

HWY_EXPORT(widen);

void widen(const f16* from, float* to, std::size_t n) { HWY_DYNAMIC_DISPATCH(widen)(from, to, n); }

}  // namespace trisect
#endif
