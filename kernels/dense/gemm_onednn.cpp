#include <array>
#include <cmath>

#include "kernels/dense/gemm.hpp"
#include "kernels/dense/gemm_cuda.hpp"
#include "kernels/dense/gemv.hpp"
#include "kernels/dense/onednn.hpp"
#include "kernels/dense/panels.hpp"
#include "kernels/dense/row_kernel.hpp"

namespace trisect::dense {
namespace {

Product product_of(const Gemm::Args& args) { return {args.x, args.w, args.bias, args.y, args.accumulate}; }

/// Up to here time is that of reading the weights.
constexpr int kFewRows = 8;

Availability with_few_rows(const Gemm::Problem& problem, Availability product) {
  return problem.m <= kFewRows ? product : Availability{fmt::format("takes {} rows at most", kFewRows)};
}

View in_panels(const Gemm::Args& args) { return panels_of(args.w, args.prepared.get()); }

template <RowProductFn Product>
void few_rows_of(const View& w, const Gemm::Problem& problem, const Gemm::Args& args) {
  Product({.w = w,
           .value = args.x.row<float>(),
           .count = problem.in,
           .bias = args.bias ? args.bias.row<float>() : nullptr,
           .y = args.y.row<float>(),
           .accumulate = args.accumulate,
           .tokens = problem.m,
           .value_stride = args.x.stride,
           .y_stride = args.y.stride});
}

template <RowProductFn Product>
void few_rows(const Gemm::Problem& problem, const Gemm::Args& args) {
  few_rows_of<Product>(args.w, problem, args);
}

std::shared_ptr<void> prepare_panels(const Gemm::Problem&, const Gemm::Args& args) {
  return copy_in_panels(args.w);
}

}  // namespace

void gemm_onednn_packed(const Gemm::Problem&, const Gemm::Args& args) {
  onednn_product_packed(product_of(args), args.prepared.get());
}

void gemm_onednn(const Gemm::Problem&, const Gemm::Args& args) { onednn_product(product_of(args)); }

const VariantOf<Gemm::Problem, Gemm::Args>& best_in_panels(const Gemm::Problem& problem) {
  return variant_named<Gemm>(problem.m <= kFewRows ? "cpu_panels" : "onednn_panels");
}

Cost Gemm::cost(const Problem& p) {
  const double m = p.m, in = p.in, out = p.out;
  return {4 * m * in + in * out * static_cast<double>(size_of(p.dtype)) + 4 * out, 4 * m * out,
          2 * m * in * out};
}

Gemm::Args Gemm::make(const Problem& p, Arena& arena) {
  return {arena.input(Dtype::kF32, p.m, p.in),
          arena.weight(p.dtype, p.in, p.out, 1 / std::sqrt(static_cast<float>(p.in))),
          arena.input(Dtype::kF32, 1, p.out),
          arena.output(Dtype::kF32, p.m, p.out),
          false,
          nullptr};
}

Check Gemm::check(const Problem& p, const Args& got, const Args& want) {
  return check_close(got.y, want.y, product_tolerance(p.dtype));
}

std::vector<Gemm::Problem> Gemm::odd_problems() {
  std::vector<Problem> problems;
  for (const Dtype type : {Dtype::kF32, Dtype::kBf16, Dtype::kF16}) {
    for (const auto& [m, in, out] : {std::array{1, 1, 1},
                                     {1, 320, 517},
                                     {2, 3, 5},
                                     {7, 320, 517},
                                     {8, 75, 9001},
                                     {17, 33, 31},
                                     {63, 80, 1},
                                     {129, 320, 960},
                                     {37, 1283, 257}}) {
      problems.push_back({m, in, out, type});
    }
  }
  return problems;
}

std::span<const VariantOf<Gemm::Problem, Gemm::Args>> Gemm::variants() {
  static const VariantOf<Problem, Args> cpu[] = {
      {.name = "ref", .run = gemm_ref},
      {.name = "onednn_packed",
       .available = [](const Problem& p) { return onednn_supports(p.dtype); },
       .run = gemm_onednn_packed,
       .prepare = [](const Problem& p, const Args& args) { return onednn_pack(args.w, p.m); }},
      {.name = "onednn_panels",
       .available = [](const Problem& p) { return panels_run(p.dtype); },
       .run =
           [](const Problem&, const Args& args) {
             onednn_product_in_panels({args.x, in_panels(args), args.bias, args.y, args.accumulate});
           },
       .prepare = prepare_panels},
      {.name = "onednn", .run = gemm_onednn},
      {.name = "cpu_panels",
       .available = [](const Problem& p) { return with_few_rows(p, panels_run(p.dtype)); },
       .run = [](const Problem& p,
                 const Args& args) { few_rows_of<panel_product>(in_panels(args), p, args); },
       .prepare = prepare_panels},
      {.name = "cpu_fma",
       .available = [](const Problem& p) { return with_few_rows(p, Availability{}); },
       .run = few_rows<row_product_fma>},
      {.name = "cpu_bf16",
       .available = [](const Problem& p) { return with_few_rows(p, row_product_bf16_runs(p.dtype)); },
       .run = few_rows<row_product_bf16>},
  };
  if constexpr (kCudaBuild) {
    static const auto all = joined<VariantOf<Problem, Args>>(cpu, gemm_cuda_variants());
    return all;
  } else {
    return cpu;
  }
}

}  // namespace trisect::dense
