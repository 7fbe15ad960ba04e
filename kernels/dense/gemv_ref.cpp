#include <algorithm>
#include <vector>

#include "kernels/dense/row_kernel.hpp"

namespace trisect::dense {
namespace {

template <class T>
void product_as(const RowProduct& product) {
#pragma omp parallel
  {
    constexpr std::int64_t kColumns = 1024;
    std::vector<double> sums(kColumns);
#pragma omp for schedule(static)
    for (std::int64_t first = 0; first < product.w.cols; first += kColumns) {
      const std::int64_t columns = std::min(kColumns, product.w.cols - first);
      std::fill(sums.begin(), sums.end(), 0.0);
      for (int j = 0; j < product.count; ++j) {
        const T* row = product.w.row<T>(product.index != nullptr ? product.index[j] : j) + first;
        for (std::int64_t c = 0; c < columns; ++c) {
          sums[static_cast<std::size_t>(c)] += double{product.value[j]} * double{to_f32(row[c])};
        }
      }
      for (std::int64_t c = 0; c < columns; ++c) {
        double sum = sums[static_cast<std::size_t>(c)];
        if (product.bias != nullptr) sum += double{product.bias[first + c]};
        if (product.accumulate) sum += double{product.y[first + c]};
        product.y[first + c] = static_cast<float>(sum);
      }
    }
  }
}

}  // namespace

void row_product_ref(const RowProduct& product) {
  if (product.tokens != 1) {
    for (int token = 0; token < product.tokens; ++token) {
      RowProduct one = product;
      one.tokens = 1;
      one.value += token * product.value_stride;
      one.y += token * product.y_stride;
      row_product_ref(one);
    }
    return;
  }
  switch (product.w.dtype) {
    case Dtype::kF32: return product_as<float>(product);
    case Dtype::kBf16: return product_as<bf16>(product);
    case Dtype::kF16: return product_as<f16>(product);
    case Dtype::kI32: usage_error("a product with i32 weights");
  }
}

}  // namespace trisect::dense
