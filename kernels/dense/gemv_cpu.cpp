#include <cmath>

#include "kernels/core/cpu.hpp"
#include "kernels/dense/gemv.hpp"
#include "kernels/dense/onednn.hpp"
#include "kernels/dense/panels.hpp"
#include "kernels/dense/row_kernel.hpp"
#include "kernels/dense/row_product_cuda.hpp"

namespace trisect::dense {
namespace {

template <void Product(const RowProduct&)>
void all_rows_of(const View& w, const Gemv::Problem& problem, const Gemv::Args& args) {
  Product({.w = w,
           .value = args.x.row<float>(),
           .count = problem.in,
           .bias = args.bias ? args.bias.row<float>() : nullptr,
           .y = args.y.row<float>(),
           .accumulate = args.accumulate,
           .next = args.next});
}

template <void Product(const RowProduct&)>
void all_rows(const Gemv::Problem& problem, const Gemv::Args& args) {
  all_rows_of<Product>(args.w, problem, args);
}

void onednn_plain(const Gemv::Problem&, const Gemv::Args& args) {
  onednn_product({args.x, args.w, args.bias, args.y, args.accumulate});
}

void onednn_packed(const Gemv::Problem&, const Gemv::Args& args) {
  onednn_product_packed({args.x, args.w, args.bias, args.y, args.accumulate}, args.prepared.get());
}

void in_panels(const Gemv::Problem& problem, const Gemv::Args& args) {
  all_rows_of<panel_product>(panels_of(args.w, args.prepared.get()), problem, args);
}

Availability onednn_runs(const Gemv::Problem& problem) { return onednn_supports(problem.dtype); }

}  // namespace

double product_tolerance(Dtype weights) {
  return weights == Dtype::kBf16 ? 1e-2 : weights == Dtype::kF16 ? 2e-3 : 1e-5;
}

Availability row_product_bf16_runs(Dtype weights) {
  if (weights != Dtype::kBf16) return {"takes bf16 weights only"};
  return has_avx512_bf16();
}

Availability panels_run(Dtype weights) { return row_product_bf16_runs(weights); }

RowProductFn* best_row_product(Dtype weights) {
  return row_product_bf16_runs(weights) ? row_product_bf16 : row_product_fma;
}

Cost Gemv::cost(const Problem& p) {
  const double in = p.in, out = p.out;
  return {in * out * static_cast<double>(size_of(p.dtype)) + 4 * (in + out), 4 * out, 2 * in * out};
}

Gemv::Args Gemv::make(const Problem& p, Arena& arena) {
  return {arena.input(Dtype::kF32, 1, p.in),
          arena.weight(p.dtype, p.in, p.out, 1 / std::sqrt(static_cast<float>(p.in))),
          arena.input(Dtype::kF32, 1, p.out),
          arena.output(Dtype::kF32, 1, p.out),
          false,
          nullptr,
          {}};
}

Check Gemv::check(const Problem& p, const Args& got, const Args& want) {
  return check_close(got.y, want.y, product_tolerance(p.dtype));
}

std::vector<Gemv::Problem> Gemv::odd_problems() {
  std::vector<Problem> problems;
  for (const Dtype type : {Dtype::kF32, Dtype::kBf16, Dtype::kF16}) {
    for (const auto& [in, out] : {std::pair{1, 1}, {7, 31}, {9, 33}, {320, 2240}, {1001, 515}, {80, 17920}}) {
      problems.push_back({in, out, type});
    }
  }
  return problems;
}

std::span<const Gemv::Variant> Gemv::variants() {
  static const Variant cpu[] = {
      {.name = "ref", .run = all_rows<row_product_ref>},
      {.name = "onednn_plain", .available = onednn_runs, .run = onednn_plain},
      {.name = "onednn_packed",
       .available = onednn_runs,
       .run = onednn_packed,
       .prepare = [](const Problem&, const Args& args) { return onednn_pack(args.w, 1); }},
      {.name = "cpu_panels",
       .available = [](const Problem& p) { return panels_run(p.dtype); },
       .run = in_panels,
       .prepare = [](const Problem&, const Args& args) { return copy_in_panels(args.w); }},
      {.name = "cpu_fma", .run = all_rows<row_product_fma>},
      {.name = "cpu_bf16",
       .available = [](const Problem& p) { return row_product_bf16_runs(p.dtype); },
       .run = all_rows<row_product_bf16>},
  };
  if constexpr (kCudaBuild) {
    static const auto all = joined<Variant>(cpu, gemv_cuda_variants());
    return all;
  } else {
    return cpu;
  }
}

}  // namespace trisect::dense
