// vdpbf16ps for the kernels of bf16 weights. Highway has no such product of two neighbours, so these kernels
// are written in intrinsics, each in a file of its own under a target attribute.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "kernels/core/dtype.hpp"

#define TRISECT_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")))

namespace trisect::dense {

TRISECT_TARGET inline __m512i load(const bf16* line) { return _mm512_loadu_si512(line); }

TRISECT_TARGET inline __m512i broadcast(std::uint32_t pair) {
  return _mm512_set1_epi32(static_cast<int>(pair));
}

TRISECT_TARGET inline __m512 dot(__m512 sum, __m512i a, __m512i b) {
  return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
}

/// Multiplies lines by one value: as a factor beside a zero it takes a line's even columns, or its odd ones,
/// so that nothing is unpacked.
struct Factor {
  __m512i for_even, for_odd;
};
/// Of a bf16 in the lower half; the upper one may be anything.
TRISECT_TARGET inline Factor factor_of(std::uint32_t bits) {
  const __m512i all = broadcast(bits);
  return {_mm512_and_si512(all, broadcast(0xffff)), _mm512_maskz_slli_epi32(0xffff, all, 16)};
}

/// even, odd += the line's products. The line is an operand in memory twice: compilers would load it into a
/// register first, an instruction more for each line that is read, or find its address first, another.
TRISECT_TARGET inline void add_line(__m512& even, __m512& odd, const Factor& factor, const bf16* line) {
  using Line = const bf16[32];
  asm("vdpbf16ps %4, %2, %0\n\tvdpbf16ps %4, %3, %1"
      : "+&v"(even), "+v"(odd)
      : "v"(factor.for_even), "v"(factor.for_odd), "m"(*reinterpret_cast<Line*>(line)));
}

}  // namespace trisect::dense
