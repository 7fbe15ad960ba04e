#include "kernels/larosa/sparse_gemv.hpp"

#include <cmath>

#include "kernels/dense/gemv.hpp"
#include "kernels/dense/row_kernel.hpp"
#include "kernels/larosa/products_cuda.hpp"
#include "kernels/larosa/topk.hpp"

namespace trisect::larosa {
namespace {

template <dense::RowProductFn Product>
void kept_rows(const SparseGemv::Problem&, const SparseGemv::Args& args) {
  Product({.w = args.w,
           .index = args.index.row<std::int32_t>(),
           .value = args.value.row<float>(),
           .count = static_cast<int>(args.index.cols),
           .bias = args.bias ? args.bias.row<float>() : nullptr,
           .y = args.y.row<float>(),
           .accumulate = args.accumulate});
}

}  // namespace

Cost SparseGemv::cost(const Problem& p) {
  const double k = kept(p.in, p.sparsity_permille), out = p.out;
  return {k * out * static_cast<double>(size_of(p.dtype)) + 8 * k + 4 * out, 4 * out, 2 * k * out};
}

SparseGemv::Args SparseGemv::make(const Problem& p, Arena& arena) {
  const int k = kept(p.in, p.sparsity_permille);
  return {arena.subset(1, k, p.in), arena.input(Dtype::kF32, 1, k),
          arena.weight(p.dtype, p.in, p.out, 1 / std::sqrt(static_cast<float>(p.in))),
          arena.input(Dtype::kF32, 1, p.out), arena.output(Dtype::kF32, 1, p.out)};
}

Check SparseGemv::check(const Problem& p, const Args& got, const Args& want) {
  return check_close(got.y, want.y, dense::product_tolerance(p.dtype));
}

std::vector<SparseGemv::Problem> SparseGemv::odd_problems() {
  std::vector<Problem> problems;
  for (const Dtype type : {Dtype::kF32, Dtype::kBf16, Dtype::kF16}) {
    for (const int permille : {0, 400, 1000}) {
      problems.push_back({1, 1, permille, type});
      problems.push_back({19, 33, permille, type});
      problems.push_back({320, 2240, permille, type});
      problems.push_back({75, 17921, permille, type});
    }
  }
  return problems;
}

std::span<const SparseGemv::Variant> SparseGemv::variants() {
  static const Variant cpu[] = {
      {.name = "ref", .run = kept_rows<dense::row_product_ref>},
      {.name = "cpu_fma",
       .available = [](const Problem& p) { return dense::row_product_fma_runs(p.dtype); },
       .run = kept_rows<dense::row_product_fma>},
      {.name = "cpu_bf16",
       .available = [](const Problem& p) { return dense::row_product_bf16_runs(p.dtype); },
       .run = kept_rows<dense::row_product_bf16>},
  };
  if constexpr (kCudaBuild) {
    static const auto all = joined<Variant>(cpu, sparse_gemv_cuda_variants());
    return all;
  } else {
    return cpu;
  }
}

}  // namespace trisect::larosa
