#include "kernels/dense/gemm_cuda.hpp"

#include "kernels/dense/row_product_cuda.hpp"

namespace trisect::dense {
namespace {

constexpr int kFewRows = 8;  // up to here one reading of the weights serves all

template <void Product(const CudaRowProduct&)>
void multiply(const Gemm::Problem&, const Gemm::Args& a) {
  Product({.w = a.w, .index = {}, .value = a.x, .bias = a.bias, .y = a.y, .accumulate = a.accumulate});
}

Availability with_few_rows(const Gemm::Problem& problem) {
  return problem.m <= kFewRows ? on_cuda(problem)
                               : Availability{fmt::format("takes {} rows at most", kFewRows)};
}

}  // namespace

std::span<const VariantOf<Gemm::Problem, Gemm::Args>> gemm_cuda_variants() {
  static const VariantOf<Gemm::Problem, Gemm::Args> table[] = {
      {.name = "cublas", .device = Device::kCuda, .available = on_cuda, .run = multiply<row_product_cublas>},
      {.name = "cuda_rows",
       .device = Device::kCuda,
       .available = with_few_rows,
       .run = multiply<row_product_cuda>},
  };
  return table;
}

}  // namespace trisect::dense
