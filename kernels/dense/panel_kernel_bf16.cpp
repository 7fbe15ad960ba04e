// Highway has no bf16 dot product of this shape, so this one file is written in intrinsics under a target
// attribute.
#include <immintrin.h>
#include <omp.h>

#include <algorithm>

#include "kernels/core/buffer.hpp"
#include "kernels/core/threads.hpp"
#include "kernels/dense/panel_kernel.hpp"

namespace trisect::dense {
namespace {

#define TRISECT_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")))

constexpr long kPanel = 512, kRegisters = kPanel / 32;

long panels_of(long in) { return (in + kPanel - 1) / kPanel; }

TRISECT_TARGET inline float sum_of(__m512 v) {
  v += __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
  v += __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);
  return (v[0] + v[1]) + (v[2] + v[3]);
}

/// y[o] += the products of one panel's activations with the rows [first, last) of its weights.
TRISECT_TARGET void add_panel(const bf16* x, const bf16* panel, long first, long last, float* y) {
  __m512bh factors[kRegisters];
#pragma GCC unroll 16
  for (long i = 0; i < kRegisters; ++i)
    factors[i] = reinterpret_cast<__m512bh>(_mm512_loadu_si512(x + 32 * i));
  const bf16* row = panel + first * kPanel;
  for (long o = first; o < last; ++o, row += kPanel) {
    __m512 sums[4] = {};
#pragma GCC unroll 16
    for (long i = 0; i < kRegisters; ++i) {
      sums[i % 4] = _mm512_dpbf16_ps(sums[i % 4], factors[i],
                                     reinterpret_cast<__m512bh>(_mm512_loadu_si512(row + 32 * i)));
    }
    y[o] += sum_of((sums[0] + sums[1]) + (sums[2] + sums[3]));
  }
}

}  // namespace

std::shared_ptr<void> pack_panels(const View& w) {
  const auto packed = std::make_shared<Buffer>(Dtype::kBf16, panels_of(w.rows) * w.cols, kPanel);
  std::fill_n(packed->as<bf16>(), packed->bytes() / sizeof(bf16), bf16{});
#pragma omp parallel for schedule(static)
  for (std::int64_t o = 0; o < w.cols; ++o) {
    for (std::int64_t i = 0; i < w.rows; ++i)
      packed->view().row<bf16>(i / kPanel * w.cols + o)[i % kPanel] = w.row<bf16>(i)[o];
  }
  return packed;
}

void panel_product(const View& x, const void* panels, const View& bias, const View& y, bool accumulate) {
  const long in = x.cols, out = y.cols;
  const bf16* const weights = static_cast<const Buffer*>(panels)->as<bf16>();
  thread_local Scratch scratch;
  bf16* const narrow = scratch.reserve<bf16>(panels_of(in) * kPanel);
  std::fill_n(narrow, panels_of(in) * kPanel, bf16{});
  convert(x.row<float>(), Dtype::kF32, narrow, Dtype::kBf16, static_cast<std::size_t>(in));
#pragma omp parallel num_threads(thread_count())
  {
    const Range mine = split(out, omp_get_thread_num(), omp_get_num_threads(), 16);
    float* const to = y.row<float>();
    for (long o = mine.first; o < mine.last; ++o)
      to[o] = (accumulate ? to[o] : 0.0f) + (bias ? bias.row<float>()[o] : 0.0f);
    for (long p = 0; p < panels_of(in); ++p)
      add_panel(narrow + p * kPanel, weights + p * kPanel * out, mine.first, mine.last, to);
  }
}

}  // namespace trisect::dense
