#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/dense/row_kernel_fma.cpp"
#include <hwy/foreach_target.h>
//
#include <hwy/highway.h>

#include "kernels/dense/row_kernel_driver.hpp"
#include "kernels/dense/simd_inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace trisect::dense::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Factors = float[kRowsPerPass];

/// sums[0..columns) += eight rows, for each token; absent rows have factor zero and repeat a present one's
/// address.
template <int kTokens, class T>
void add_rows(const T* const rows[kRowsPerPass], NextRows next, const Factors factors[kTokens], long columns,
              const Sums& sums) {
  const hn::ScalableTag<float> d;
  const long lanes = static_cast<long>(hn::Lanes(d));
  long c = 0;
  for (; c + lanes <= columns; c += lanes) {
    const auto w0 = load_f32(d, rows[0] + c), w1 = load_f32(d, rows[1] + c), w2 = load_f32(d, rows[2] + c),
               w3 = load_f32(d, rows[3] + c), w4 = load_f32(d, rows[4] + c), w5 = load_f32(d, rows[5] + c),
               w6 = load_f32(d, rows[6] + c), w7 = load_f32(d, rows[7] + c);
    for (int token = 0; token < kTokens; ++token) {
      const float* f = factors[token];
      float* to = sums.of(token) + c;
      auto a = hn::MulAdd(hn::Set(d, f[0]), w0, hn::LoadU(d, to));
      auto b = hn::Mul(hn::Set(d, f[1]), w1);
      a = hn::MulAdd(hn::Set(d, f[2]), w2, a);
      b = hn::MulAdd(hn::Set(d, f[3]), w3, b);
      a = hn::MulAdd(hn::Set(d, f[4]), w4, a);
      b = hn::MulAdd(hn::Set(d, f[5]), w5, b);
      a = hn::MulAdd(hn::Set(d, f[6]), w6, a);
      b = hn::MulAdd(hn::Set(d, f[7]), w7, b);
      hn::StoreU(hn::Add(a, b), d, to);
    }
    next.fetch<kRowsPerPass* long{sizeof(T)} * long{hn::MaxLanes(d)}>();
  }
  for (; c < columns; ++c) {
    for (int token = 0; token < kTokens; ++token) {
      for (int r = 0; r < kRowsPerPass; ++r) sums.of(token)[c] += factors[token][r] * to_f32(rows[r][c]);
    }
  }
}

template <class T>
void product_as(const RowProduct& product) {
  const auto row_at = [&](long j) {
    return product.w.row<T>(product.index != nullptr ? product.index[j] : j);
  };
  run_row_product(product, [&](long first, long last, long column, long columns, const Sums& sums) {
    for (int token = 0; token < product.tokens; ++token) std::fill_n(sums.of(token), columns, 0.0f);
    for (long j = first; j < last; j += kRowsPerPass) {
      const T* rows[kRowsPerPass];
      const void* next_rows[kRowsPerPass];
      for (int r = 0; r < kRowsPerPass; ++r) {
        rows[r] = row_at(std::min(j + r, last - 1)) + column;
        next_rows[r] = row_at(std::min(j + kRowsPerPass + r, last - 1)) + column;
      }
      each_group(product.tokens, [&](auto tokens, int token) {
        Factors factors[tokens];
        for (int t = 0; t < tokens; ++t) {
          const float* value = product.value + (token + t) * product.value_stride;
          for (int r = 0; r < kRowsPerPass; ++r) factors[t][r] = j + r < last ? value[j + r] : 0.0f;
        }
        const NextRows next = token == 0 ? NextRows(next_rows, columns * long{sizeof(T)}) : NextRows();
        add_rows<tokens>(rows, next, factors, columns, {sums.of(token), sums.stride});
      });
    }
  });
}

void row_product(const RowProduct& product) {
  if (product.w.dtype == Dtype::kBf16) return product_as<bf16>(product);
  if (product.w.dtype == Dtype::kF16) return product_as<f16>(product);
  product_as<float>(product);
}

}  // namespace trisect::dense::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace trisect::dense {

HWY_EXPORT(row_product);

void row_product_fma(const RowProduct& product) { HWY_DYNAMIC_DISPATCH(row_product)(product); }

}  // namespace trisect::dense
#endif
