// Element types of tensors, and conversion between them. Arithmetic is always done in f32 or f64.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace trisect {

enum class Dtype : std::uint8_t { kF32, kBf16, kF16, kI32 };

constexpr std::size_t size_of(Dtype type) {
  return type == Dtype::kF32 || type == Dtype::kI32 ? 4 : 2;
}
std::string_view name_of(Dtype type);           ///< "f32", "bf16", "f16", "i32"
Dtype dtype_from_name(std::string_view name);   ///< throws Error(kUsage) on an unknown name

/// Storage only; convert with to_f32 and to_bf16 / to_f16.
struct bf16 {
  std::uint16_t bits;
};
struct f16 {
  std::uint16_t bits;
};

constexpr float to_f32(float value) { return value; }
constexpr float to_f32(bf16 value) { return std::bit_cast<float>(std::uint32_t{value.bits} << 16); }
constexpr float to_f32(f16 value) {
  const std::uint32_t sign = std::uint32_t{value.bits & 0x8000u} << 16;
  const std::uint32_t magnitude = value.bits & 0x7fffu;
  if (magnitude >= 0x7c00u) return std::bit_cast<float>(sign | 0x7f800000u | (magnitude & 0x3ffu) << 13);
  // Shifting into f32's fields leaves the exponent short by 127 - 15; the product repairs it, denormals included.
  constexpr float kRebias = std::bit_cast<float>((127u + 127u - 15u) << 23);
  return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude << 13) * kRebias));
}

/// Round to nearest, ties to even; NaN stays NaN.
constexpr bf16 to_bf16(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t rounded = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
  const bool is_nan = (bits & 0x7fffffffu) > 0x7f800000u;
  return {static_cast<std::uint16_t>(is_nan ? bits >> 16 | 0x40u : rounded)};
}
f16 to_f16(float value);

/// dst[i] = src[i] for n elements of any two floating types; source and destination must not overlap.
void convert(const void* src, Dtype from, void* dst, Dtype to, std::size_t n);

}  // namespace trisect
