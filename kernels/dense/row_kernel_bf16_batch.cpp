// Several tokens: rows in pairs, merged once for all of them.
#include <algorithm>

#include "kernels/dense/dot_bf16.hpp"
#include "kernels/dense/row_kernel_driver.hpp"

namespace trisect::dense {
namespace {

constexpr long kStep = 32;  // columns per iteration: one register of bf16, two of f32 sums

struct Pass {
  const bf16* rows[kRowsPerPass];
  bool is_first, is_last;
};
using Factors = __m512i[kRowsPerPass / 2];

/// sums += the rows of one pass over `columns`, a multiple of kStep, for each token. The first pass begins
/// with zeros. Unpacking works within 128-bit lanes: column 8g + i of a step is in `low` (i < 4) or `high`,
/// at 4g + i mod 4; the last pass restores the order.
template <int kTokens>
TRISECT_TARGET void add_rows(Pass pass, const Factors factors[kTokens], NextRows next, long columns,
                             Sums sums) {
  const __m512i lower = _mm512_setr_epi32(0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
  const __m512i upper = _mm512_setr_epi32(8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
  for (long c = 0; c < columns; c += kStep) {
    __m512 low[kTokens], high[kTokens];
#pragma GCC unroll 4
    for (int token = 0; token < kTokens; ++token) {
      const float* from = sums.of(token) + c;
      low[token] = high[token] = _mm512_setzero_ps();
      if (!pass.is_first) low[token] = _mm512_load_ps(from), high[token] = _mm512_load_ps(from + 16);
    }
#pragma GCC unroll 8
    for (int pair = 0; pair < kRowsPerPass / 2; ++pair) {
      const __m512i a = load(pass.rows[2 * pair] + c), b = load(pass.rows[2 * pair + 1] + c);
      const __m512i low_pair = _mm512_unpacklo_epi16(a, b), high_pair = _mm512_unpackhi_epi16(a, b);
#pragma GCC unroll 4
      for (int token = 0; token < kTokens; ++token) {
        low[token] = dot(low[token], low_pair, factors[token][pair]);
        high[token] = dot(high[token], high_pair, factors[token][pair]);
      }
    }
#pragma GCC unroll 4
    for (int token = 0; token < kTokens; ++token) {
      float* to = sums.of(token) + c;
      const __m512 l = low[token], h = high[token];
      _mm512_store_ps(to, pass.is_last ? _mm512_permutex2var_ps(l, lower, h) : l);
      _mm512_store_ps(to + 16, pass.is_last ? _mm512_permutex2var_ps(l, upper, h) : h);
    }
    next.fetch<kRowsPerPass * kStep* long{sizeof(bf16)}>();
  }
}

TRISECT_TARGET void product_part(const RowProduct& product, long first, long last, long column, long columns,
                                 const Sums& sums) {
  const auto row_at = [&](long j) {
    return product.w.row<bf16>(product.index != nullptr ? product.index[j] : j) + column;
  };
  const long whole = columns / kStep * kStep, cleared = first < last ? whole : 0;
  for (int token = 0; token < product.tokens; ++token) {
    std::fill(sums.of(token) + cleared, sums.of(token) + columns, 0.0f);
  }
  for (long j = first; j < last; j += kRowsPerPass) {
    Pass pass{.rows = {}, .is_first = j == first, .is_last = j + kRowsPerPass >= last};
    const void* next_rows[kRowsPerPass];
    for (int r = 0; r < kRowsPerPass; ++r) {
      pass.rows[r] = row_at(std::min(j + r, last - 1));
      next_rows[r] = row_at(std::min(j + kRowsPerPass + r, last - 1));
    }
    each_group(product.tokens, [&](auto tokens, int token) TRISECT_TARGET {
      Factors factors[tokens];
      for (int t = 0; t < tokens; ++t) {
        const float* value = product.value + (token + t) * product.value_stride;
        const auto bits = [&](int i) { return j + i < last ? std::uint32_t{to_bf16(value[j + i]).bits} : 0; };
        for (int r = 0; r < kRowsPerPass; r += 2) factors[t][r / 2] = broadcast(bits(r + 1) << 16 | bits(r));
      }
      const NextRows next = token == 0 ? NextRows(next_rows, whole * long{sizeof(bf16)}) : NextRows();
      add_rows<tokens>(pass, factors, next, whole, {sums.of(token), sums.stride});
    });
  }
  add_last_columns(product, first, last, column, {whole, columns}, sums);
}

}  // namespace

void row_product_bf16_batch(const RowProduct& product) {
  run_row_product(product, [&](long first, long last, long column, long columns, const Sums& sums) {
    product_part(product, first, last, column, columns, sums);
  });
}

}  // namespace trisect::dense
