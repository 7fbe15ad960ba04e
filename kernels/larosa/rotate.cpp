#include "kernels/larosa/rotate.hpp"

#include <cmath>

#include "kernels/dense/gemv.hpp"
#include "kernels/dense/onednn.hpp"
#include "kernels/dense/row_kernel.hpp"
#include "kernels/larosa/products_cuda.hpp"

namespace trisect::larosa {
namespace {

template <dense::RowProductFn Product>
void row_by_row(const Rotate::Problem& problem, const Rotate::Args& args) {
  for (int r = 0; r < problem.rows; ++r) {
    Product({.w = args.q, .value = args.x.row<float>(r), .count = problem.n, .y = args.y.row<float>(r)});
  }
}

}  // namespace

Cost Rotate::cost(const Problem& p) {
  const double n = p.n, rows = p.rows;
  return {n * n * static_cast<double>(size_of(p.dtype)) + 4 * rows * n, 4 * rows * n, 2 * rows * n * n};
}

Rotate::Args Rotate::make(const Problem& p, Arena& arena) {
  return {arena.input(Dtype::kF32, p.rows, p.n),
          arena.weight(p.dtype, p.n, p.n, 1 / std::sqrt(static_cast<float>(p.n))),
          arena.output(Dtype::kF32, p.rows, p.n)};
}

Check Rotate::check(const Problem& p, const Args& got, const Args& want) {
  return check_close(got.y, want.y, dense::product_tolerance(p.dtype));
}

std::vector<Rotate::Problem> Rotate::odd_problems() {
  std::vector<Problem> problems;
  for (const Dtype type : {Dtype::kF32, Dtype::kBf16, Dtype::kF16}) {
    for (const auto& [rows, n] : {std::pair{1, 1}, {1, 33}, {3, 80}, {2, 320}, {8, 136}, {7, 1000}}) {
      problems.push_back({rows, n, type});
    }
  }
  return problems;
}

std::span<const Rotate::Variant> Rotate::variants() {
  static const Variant cpu[] = {
      {.name = "ref", .run = row_by_row<dense::row_product_ref>},
      {.name = "onednn",
       .available = [](const Problem& p) { return dense::onednn_supports(p.dtype); },
       .run =
           [](const Problem&, const Args& args) {
             dense::onednn_product({args.x, args.q, {}, args.y});
           }},
      {.name = "cpu_fma", .run = row_by_row<dense::row_product_fma>},
      {.name = "cpu_bf16",
       .available = [](const Problem& p) { return dense::row_product_bf16_runs(p.dtype); },
       .run = row_by_row<dense::row_product_bf16>},
  };
  if constexpr (kCudaBuild) {
    static const auto all = joined<Variant>(cpu, rotate_cuda_variants());
    return all;
  } else {
    return cpu;
  }
}

}  // namespace trisect::larosa
