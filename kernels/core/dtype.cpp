#include "kernels/core/dtype.hpp"

#include <algorithm>
#include <cstring>

#include "kernels/core/error.hpp"
#include "kernels/core/widen.hpp"

namespace trisect {
namespace {

template <class From, class To>
void convert_as(const void* src, void* dst, std::size_t n) {
  const From* from = static_cast<const From*>(src);
  To* to = static_cast<To*>(dst);
  for (std::size_t i = 0; i < n; ++i) {
    if constexpr (std::is_same_v<To, float>) {
      to[i] = to_f32(from[i]);
    } else if constexpr (std::is_same_v<To, bf16>) {
      to[i] = to_bf16(to_f32(from[i]));
    } else {
      to[i] = to_f16(to_f32(from[i]));
    }
  }
}

template <class From>
void convert_from(const void* src, void* dst, Dtype to, std::size_t n) {
  switch (to) {
    case Dtype::kF32: return convert_as<From, float>(src, dst, n);
    case Dtype::kBf16: return convert_as<From, bf16>(src, dst, n);
    case Dtype::kF16: return convert_as<From, f16>(src, dst, n);
    case Dtype::kI32: usage_error("convert: i32 is not a floating type");
  }
}

}  // namespace

std::string_view name_of(Dtype type) {
  switch (type) {
    case Dtype::kF32: return "f32";
    case Dtype::kBf16: return "bf16";
    case Dtype::kF16: return "f16";
    case Dtype::kI32: return "i32";
  }
  return "?";
}

Dtype dtype_from_name(std::string_view name) {
  for (const Dtype type : {Dtype::kF32, Dtype::kBf16, Dtype::kF16, Dtype::kI32}) {
    if (name == name_of(type)) return type;
  }
  usage_error("unknown dtype '{}': choose f32, bf16, f16 or i32", name);
}

f16 to_f16(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const std::uint16_t sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000u);
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  std::uint32_t half;
  if (magnitude > 0x7f800000u) {
    half = 0x7e00u;
  } else if (magnitude >= 0x477ff000u) {  // 65520 and above round to infinity
    half = 0x7c00u;
  } else if (magnitude >= 0x38800000u) {  // normal in f16
    half = (magnitude + 0xfffu + (magnitude >> 13 & 1u) - (112u << 23)) >> 13;
  } else {  // denormal: adding 0.5 lets the FPU round to a multiple of 2^-24
    half = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3f000000u;
  }
  return {static_cast<std::uint16_t>(sign | half)};
}

void convert(const void* src, Dtype from, void* dst, Dtype to, std::size_t n) {
  if (from == to) {
    std::memcpy(dst, src, n * size_of(from));
    return;
  }
  switch (from) {
    case Dtype::kF32: return convert_from<float>(src, dst, to, n);
    case Dtype::kBf16: return convert_from<bf16>(src, dst, to, n);
    case Dtype::kF16:
      if (to == Dtype::kF32) return widen(static_cast<const f16*>(src), static_cast<float*>(dst), n);
      return convert_from<f16>(src, dst, to, n);
    case Dtype::kI32: usage_error("convert: i32 is not a floating type");
  }
}

}  // namespace trisect
