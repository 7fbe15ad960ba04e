// Highway has no bf16 dot product of this shape, so this one file is written in intrinsics under a target
// attribute.
#include <immintrin.h>

#include <algorithm>

#include "kernels/dense/row_kernel_driver.hpp"

namespace trisect::dense {
namespace {

#define TRISECT_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")))

constexpr long kStep = 32;  // columns per iteration: one register of bf16, two of f32 sums

/// Two factors as the bf16 pair that multiplies two merged rows.
TRISECT_TARGET inline __m512bh factor_pair(float first, float second) {
  const std::uint32_t pair = std::uint32_t{to_bf16(second).bits} << 16 | to_bf16(first).bits;
  return reinterpret_cast<__m512bh>(_mm512_set1_epi32(static_cast<int>(pair)));
}

TRISECT_TARGET inline __m512 dot(__m512 sum, __m512i rows, __m512bh factors) {
  return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(rows), factors);
}

struct Pass {
  const bf16* rows[kRowsPerPass];
  __m512bh factors[kRowsPerPass / 2];
  bool is_first, is_last;
};

/// sums += the rows of one pass over `columns`, a multiple of kStep. The first pass begins with zeros.
/// Unpacking works within 128-bit lanes: column 8g + i of a step is in `low` (i < 4) or `high`, at 4g + i mod
/// 4; the last pass restores the order.
TRISECT_TARGET void add_rows(const Pass& pass, NextRows next, long columns, float* sums) {
  const __m512i lower = _mm512_setr_epi32(0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
  const __m512i upper = _mm512_setr_epi32(8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
  for (long c = 0; c < columns; c += kStep) {
    __m512 low = _mm512_setzero_ps(), high = low;
    if (!pass.is_first) low = _mm512_load_ps(sums + c), high = _mm512_load_ps(sums + c + 16);
#pragma GCC unroll 8
    for (int pair = 0; pair < kRowsPerPass / 2; ++pair) {
      const __m512i a = _mm512_loadu_si512(pass.rows[2 * pair] + c),
                    b = _mm512_loadu_si512(pass.rows[2 * pair + 1] + c);
      low = dot(low, _mm512_unpacklo_epi16(a, b), pass.factors[pair]);
      high = dot(high, _mm512_unpackhi_epi16(a, b), pass.factors[pair]);
    }
    _mm512_store_ps(sums + c, pass.is_last ? _mm512_permutex2var_ps(low, lower, high) : low);
    _mm512_store_ps(sums + c + 16, pass.is_last ? _mm512_permutex2var_ps(low, upper, high) : high);
    next.fetch<kRowsPerPass * kStep* long{sizeof(bf16)}>();
  }
}

TRISECT_TARGET void product_part(const RowProduct& product, long first, long last, long column, long columns,
                                 float* sums) {
  const auto row_at = [&](long j) {
    return product.w.row<bf16>(product.index != nullptr ? product.index[j] : j) + column;
  };
  const long whole = columns / kStep * kStep, cleared = first < last ? whole : 0;
  std::fill(sums + cleared, sums + columns, 0.0f);
  for (long j = first; j < last; j += kRowsPerPass) {
    Pass pass{.rows = {}, .factors = {}, .is_first = j == first, .is_last = j + kRowsPerPass >= last};
    const void* next_rows[kRowsPerPass];
    for (int r = 0; r < kRowsPerPass; ++r) {
      pass.rows[r] = row_at(std::min(j + r, last - 1));
      next_rows[r] = row_at(std::min(j + kRowsPerPass + r, last - 1));
    }
    for (int r = 0; r < kRowsPerPass; r += 2) {
      const auto factor = [&](int i) { return j + i < last ? product.value[j + i] : 0.0f; };
      pass.factors[r / 2] = factor_pair(factor(r), factor(r + 1));
    }
    add_rows(pass, {next_rows, whole * long{sizeof(bf16)}}, whole, sums);
  }
  for (long j = first; j < last && whole < columns; ++j) {
    const bf16* row = row_at(j);
    const float factor = to_f32(to_bf16(product.value[j]));
    for (long c = whole; c < columns; ++c) sums[c] += factor * to_f32(row[c]);
  }
}

}  // namespace

void row_product_bf16(const RowProduct& product) {
  run_row_product(product, [&](long first, long last, long column, long columns, float* sums) {
    product_part(product, first, last, column, columns, sums);
  });
}

}  // namespace trisect::dense
