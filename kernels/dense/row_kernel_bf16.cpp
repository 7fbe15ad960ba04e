// One token: many rows at a time, every line a memory operand.
#include <algorithm>

#include "kernels/dense/dot_bf16.hpp"
#include "kernels/dense/row_kernel_driver.hpp"

namespace trisect::dense {
namespace {

constexpr int kRows = 14;      // of weights in a pass: two factors for each and two sums fill the registers
constexpr long kColumns = 32;  // in a line

struct Pass {
  const bf16 *rows[kRows], *next[kRows];
  std::uint32_t factors[kRows];  // bf16
  bool is_first, is_last;
};

/// Of a row of the next pass: from there on the processor reads ahead by itself.
inline void fetch_beginning(const bf16* row) {
  for (long line = 0; line < 4; ++line) __builtin_prefetch(row + kColumns * line, 0, 2);
}

/// sums += kCount rows over `columns`, a multiple of kColumns. The first pass begins with zeros. A line's
/// even columns come before its odd ones, until the last pass restores their order.
template <int kCount>
TRISECT_TARGET void add_rows(Pass pass, long columns, float* sums) {
  const __m512i lower = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  const __m512i upper = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  Factor factors[kCount];
#pragma GCC unroll 14
  for (int r = 0; r < kCount; ++r) factors[r] = factor_of(pass.factors[r]);
  for (long c = 0; c < columns; c += kColumns) {
    if (c < kCount * kColumns) fetch_beginning(pass.next[c / kColumns]);
    __m512 even = _mm512_setzero_ps(), odd = _mm512_setzero_ps();
    if (!pass.is_first) even = _mm512_load_ps(sums + c), odd = _mm512_load_ps(sums + c + 16);
#pragma GCC unroll 14
    for (int r = 0; r < kCount; ++r) add_line(even, odd, factors[r], pass.rows[r] + c);
    _mm512_store_ps(sums + c, pass.is_last ? _mm512_permutex2var_ps(even, lower, odd) : even);
    _mm512_store_ps(sums + c + 16, pass.is_last ? _mm512_permutex2var_ps(even, upper, odd) : odd);
  }
}

template <std::size_t... kBefore>
void add_pass(int count, const Pass& pass, long columns, float* sums, std::index_sequence<kBefore...>) {
  constexpr void (*kAdd[])(Pass, long, float*) = {add_rows<kBefore + 1>...};
  kAdd[count - 1](pass, columns, sums);
}

void product_part(const RowProduct& product, long first, long last, long column, long columns, float* sums) {
  const auto row_at = [&](long j) {
    return product.w.row<bf16>(product.index != nullptr ? product.index[j] : j) + column;
  };
  const long whole = columns / kColumns * kColumns;
  if (first == last) std::fill_n(sums, columns, 0.0f);
  std::fill(sums + whole, sums + columns, 0.0f);
  for (long j = first; j < last; j += kRows) {
    const int count = static_cast<int>(std::min<long>(kRows, last - j));
    Pass pass{.rows = {}, .next = {}, .factors = {}, .is_first = j == first, .is_last = j + kRows >= last};
    for (int r = 0; r < count; ++r) {
      pass.rows[r] = row_at(j + r);
      pass.next[r] = row_at(std::min(j + kRows + r, last - 1));
      pass.factors[r] = to_bf16(product.value[j + r]).bits;
    }
    add_pass(count, pass, whole, sums, std::make_index_sequence<kRows>());
  }
  add_last_columns(product, first, last, column, {whole, columns}, {sums, 0});
}

}  // namespace

void row_product_bf16(const RowProduct& product) {
  if (product.tokens > 1) return row_product_bf16_batch(product);
  run_row_product(
      product,
      [&](long first, long last, long column, long columns, const Sums& sums) {
        product_part(product, first, last, column, columns, sums.first);
      },
      kRows);
}

}  // namespace trisect::dense
