#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/dense/row_kernel_fma.cpp"
#include <hwy/foreach_target.h>
//
#include <hwy/highway.h>

#include "kernels/dense/row_kernel_driver.hpp"

HWY_BEFORE_NAMESPACE();
namespace trisect::dense::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class D>
HWY_INLINE hn::Vec<D> load_weights(D d, const float* p) {
  return hn::LoadU(d, p);
}
template <class D>
HWY_INLINE hn::Vec<D> load_weights(D d, const bf16* p) {
  const hn::Rebind<hwy::bfloat16_t, D> narrow;
  return hn::PromoteTo(d, hn::LoadU(narrow, reinterpret_cast<const hwy::bfloat16_t*>(p)));
}

/// sums[0..columns) += eight rows; absent ones have factor zero and repeat a present one's address.
template <class T>
void add_rows(const T* const rows[kRowsPerPass], NextRows next, const float factors[kRowsPerPass],
              long columns, float* sums) {
  const hn::ScalableTag<float> d;
  const long lanes = static_cast<long>(hn::Lanes(d));
  const auto f0 = hn::Set(d, factors[0]), f1 = hn::Set(d, factors[1]), f2 = hn::Set(d, factors[2]),
             f3 = hn::Set(d, factors[3]), f4 = hn::Set(d, factors[4]), f5 = hn::Set(d, factors[5]),
             f6 = hn::Set(d, factors[6]), f7 = hn::Set(d, factors[7]);
  long c = 0;
  for (; c + lanes <= columns; c += lanes) {
    auto a = hn::MulAdd(f0, load_weights(d, rows[0] + c), hn::LoadU(d, sums + c));
    auto b = hn::Mul(f1, load_weights(d, rows[1] + c));
    a = hn::MulAdd(f2, load_weights(d, rows[2] + c), a);
    b = hn::MulAdd(f3, load_weights(d, rows[3] + c), b);
    a = hn::MulAdd(f4, load_weights(d, rows[4] + c), a);
    b = hn::MulAdd(f5, load_weights(d, rows[5] + c), b);
    a = hn::MulAdd(f6, load_weights(d, rows[6] + c), a);
    b = hn::MulAdd(f7, load_weights(d, rows[7] + c), b);
    hn::StoreU(hn::Add(a, b), d, sums + c);
    next.fetch<kRowsPerPass* long{sizeof(T)} * long{hn::MaxLanes(d)}>();
  }
  for (; c < columns; ++c) {
    for (int r = 0; r < kRowsPerPass; ++r) sums[c] += factors[r] * to_f32(rows[r][c]);
  }
}

template <class T>
void product_as(const RowProduct& product) {
  const auto row_at = [&](long j) {
    return product.w.row<T>(product.index != nullptr ? product.index[j] : j);
  };
  run_row_product(product, [&](long first, long last, long column, long columns, float* sums) {
    std::fill_n(sums, columns, 0.0f);
    for (long j = first; j < last; j += kRowsPerPass) {
      const T* rows[kRowsPerPass];
      const void* next_rows[kRowsPerPass];
      float factors[kRowsPerPass];
      for (int r = 0; r < kRowsPerPass; ++r) {
        rows[r] = row_at(std::min(j + r, last - 1)) + column;
        next_rows[r] = row_at(std::min(j + kRowsPerPass + r, last - 1)) + column;
        factors[r] = j + r < last ? product.value[j + r] : 0.0f;
      }
      add_rows(rows, {next_rows, columns * long{sizeof(T)}}, factors, columns, sums);
    }
  });
}

void row_product(const RowProduct& product) {
  product.w.dtype == Dtype::kBf16 ? product_as<bf16>(product) : product_as<float>(product);
}

}  // namespace trisect::dense::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace trisect::dense {

HWY_EXPORT(row_product);

void row_product_fma(const RowProduct& product) { HWY_DYNAMIC_DISPATCH(row_product)(product); }

}  // namespace trisect::dense
#endif
