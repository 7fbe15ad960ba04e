#include "kernels/dense/dot_bf16.hpp"
#include "kernels/dense/panel_kernel.hpp"
#include "kernels/dense/panels.hpp"
#include "kernels/dense/row_kernel_driver.hpp"

namespace trisect::dense {
namespace {

/// One token: a row at a time, in one stream.
template <int kWide>
TRISECT_TARGET void add_rows(const PanelRows& panel, float* sums) {
  __m512 even[kWide], odd[kWide];
#pragma GCC unroll 8
  for (int l = 0; l < kWide; ++l) {
    even[l] = _mm512_loadu_ps(sums + kPanelLine * l);
    odd[l] = _mm512_loadu_ps(sums + kPanelLine * l + 16);
  }
  const bf16* row = panel.rows;
  for (long r = 0; r < panel.count; ++r, row += kWide * kPanelLine) {
    const Factor factor = factor_of(panel.factors[r]);
#pragma GCC unroll 8
    for (int l = 0; l < kWide; ++l) add_line(even[l], odd[l], factor, row + kPanelLine * l);
  }
#pragma GCC unroll 8
  for (int l = 0; l < kWide; ++l) {
    _mm512_storeu_ps(sums + kPanelLine * l, even[l]);
    _mm512_storeu_ps(sums + kPanelLine * l + 16, odd[l]);
  }
}

/// Several tokens: rows in pairs, merged once for all, a column of lines at a time. `panel` is near.
template <int kTokens>
TRISECT_TARGET void add_pairs(const PanelRows& panel, float* sums) {
  const long across = panel.lines * kPanelLine;
  for (long l = 0; l < panel.lines; ++l) {
    __m512 low[kTokens], high[kTokens];
#pragma GCC unroll 4
    for (int t = 0; t < kTokens; ++t) {
      const float* const from = sums + kPanelColumns * t + kPanelLine * l;
      low[t] = _mm512_loadu_ps(from), high[t] = _mm512_loadu_ps(from + 16);
    }
    const bf16* row = panel.rows + kPanelLine * l;
    for (long r = 0; r < panel.count; r += 2, row += 2 * across) {
      const __m512i a = load(row), b = r + 1 < panel.count ? load(row + across) : _mm512_setzero_si512();
      const __m512i low_pair = _mm512_unpacklo_epi16(a, b), high_pair = _mm512_unpackhi_epi16(a, b);
#pragma GCC unroll 4
      for (int t = 0; t < kTokens; ++t) {
        const __m512i factors = broadcast(panel.factors[panel.stride * t + r]);
        low[t] = dot(low[t], low_pair, factors);
        high[t] = dot(high[t], high_pair, factors);
      }
    }
#pragma GCC unroll 4
    for (int t = 0; t < kTokens; ++t) {
      float* const to = sums + kPanelColumns * t + kPanelLine * l;
      _mm512_storeu_ps(to, low[t]), _mm512_storeu_ps(to + 16, high[t]);
    }
  }
}

/// Brings rows near in one stream, as memory is read best.
void touch(const PanelRows& panel) {
  const auto* line = reinterpret_cast<const volatile std::byte*>(panel.rows);
  for (long i = 0; i < panel.lines * panel.count; ++i, line += 64) static_cast<void>(*line);
}

using AddRows = void(const PanelRows&, float*);
constexpr AddRows* kAddRows[] = {add_rows<1>, add_rows<2>, add_rows<3>, add_rows<4>,
                                 add_rows<5>, add_rows<6>, add_rows<7>, add_rows<8>};

}  // namespace

void add_panel_rows(const PanelRows& panel, float* sums) {
  if (panel.tokens == 1) return kAddRows[panel.lines - 1](panel, sums);
  const long together = panel.tokens > 4 ? 8 : 12;  // rows; measured
  for (PanelRows part = panel; part.count > 0;) {
    const long rest = part.count;
    part.count = std::min(together, rest);
    touch(part);
    each_group(panel.tokens, [&](auto tokens, int token) {
      PanelRows group = part;
      group.factors += panel.stride * token;
      add_pairs<tokens>(group, sums + kPanelColumns * token);
    });
    part.rows += part.count * panel.lines * kPanelLine;
    part.factors += part.count;
    part.count = rest - part.count;
  }
}

}  // namespace trisect::dense
