// A row is a few KB that were just computed: bound by the conversion, which the compiler's scalar code does
// one by one.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/vattention/append_simd.cpp"
#include <hwy/foreach_target.h>
//
#include <hwy/highway.h>

#include <cstring>

#include "kernels/vattention/append.hpp"

HWY_BEFORE_NAMESPACE();
namespace trisect::vattention::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// As to_bf16(), NaN included.
void round_to_bf16(const float* from, bf16* to, std::int64_t n) {
  const hn::ScalableTag<std::uint32_t> d;
  const hn::Rebind<std::uint16_t, decltype(d)> narrow;
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto bits = hn::LoadU(d, reinterpret_cast<const std::uint32_t*>(from + i));
    const auto high = hn::ShiftRight<16>(bits);
    const auto rounded =
        hn::ShiftRight<16>(hn::Add(bits, hn::Add(hn::Set(d, 0x7fffu), hn::And(high, hn::Set(d, 1u)))));
    const auto magnitude = hn::And(bits, hn::Set(d, 0x7fffffffu));
    const auto is_nan = hn::Gt(magnitude, hn::Set(d, 0x7f800000u));
    const auto result = hn::IfThenElse(is_nan, hn::Or(high, hn::Set(d, 0x40u)), rounded);
    hn::StoreU(hn::TruncateTo(narrow, result), narrow, reinterpret_cast<std::uint16_t*>(to + i));
  }
  for (; i < n; ++i) to[i] = to_bf16(from[i]);
}

}  // namespace trisect::vattention::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace trisect::vattention {

HWY_EXPORT(round_to_bf16);

void append_simd(const Append::Problem& problem, const Append::Args& args) {
  const auto write = [&](const View& from, const std::byte* base, int r) {
    std::byte* to = const_cast<std::byte*>(base) +
                    args.kv.offset(args.slot.row<std::int32_t>()[r], args.position.row<std::int32_t>()[r]);
    if (args.kv.dtype == Dtype::kBf16) {
      HWY_DYNAMIC_DISPATCH(round_to_bf16)(from.row<float>(r), reinterpret_cast<bf16*>(to), from.cols);
    } else {
      std::memcpy(to, from.row<float>(r), static_cast<std::size_t>(from.cols) * sizeof(float));
    }
  };
#pragma omp parallel for schedule(static) if (problem.rows > 4)
  for (int r = 0; r < problem.rows; ++r) {
    write(args.keys, args.kv.k, r);
    write(args.values, args.kv.v, r);
  }
}

}  // namespace trisect::vattention
#endif
