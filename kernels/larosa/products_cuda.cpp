#include "kernels/larosa/products_cuda.hpp"

#include "kernels/dense/row_product_cuda.hpp"

namespace trisect::larosa {
namespace {

template <void Product(const dense::CudaRowProduct&)>
void rotate(const Rotate::Problem&, const Rotate::Args& a) {
  Product({.w = a.q, .index = {}, .value = a.x, .bias = {}, .y = a.y});
}

template <void Product(const dense::CudaRowProduct&)>
void kept_rows(const SparseGemv::Problem&, const SparseGemv::Args& a) {
  Product(
      {.w = a.w, .index = a.index, .value = a.value, .bias = a.bias, .y = a.y, .accumulate = a.accumulate});
}

}  // namespace

std::span<const Rotate::Variant> rotate_cuda_variants() {
  static const Rotate::Variant table[] = {
      {.name = "cublas",
       .device = Device::kCuda,
       .available = on_cuda,
       .run = rotate<dense::row_product_cublas>},
      {.name = "cuda_rows",
       .device = Device::kCuda,
       .available = on_cuda,
       .run = rotate<dense::row_product_cuda>},
  };
  return table;
}

std::span<const SparseGemv::Variant> sparse_gemv_cuda_variants() {
  static const SparseGemv::Variant table[] = {
      {.name = "cuda_rowskip_atomic",
       .device = Device::kCuda,
       .available = on_cuda,
       .run = kept_rows<dense::row_product_cuda_atomic>},
      {.name = "cuda_rowskip",
       .device = Device::kCuda,
       .available = on_cuda,
       .run = kept_rows<dense::row_product_cuda>},
  };
  return table;
}

}  // namespace trisect::larosa
