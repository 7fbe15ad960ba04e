#include "kernels/dense/row_product_cuda.hpp"

namespace trisect::dense {
namespace {

template <void Product(const CudaRowProduct&)>
void all_rows(const Gemv::Problem&, const Gemv::Args& a) {
  Product({.w = a.w, .index = {}, .value = a.x, .bias = a.bias, .y = a.y, .accumulate = a.accumulate});
}

}  // namespace

std::span<const Gemv::Variant> gemv_cuda_variants() {
  static const Gemv::Variant table[] = {
      {.name = "cublas", .device = Device::kCuda, .available = on_cuda, .run = all_rows<row_product_cublas>},
      {.name = "cuda_rows", .device = Device::kCuda, .available = on_cuda, .run = all_rows<row_product_cuda>},
  };
  return table;
}

}  // namespace trisect::dense
