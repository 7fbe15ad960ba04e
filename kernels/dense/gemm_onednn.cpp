#include <array>
#include <cmath>

#include "kernels/dense/gemm.hpp"
#include "kernels/dense/gemv.hpp"
#include "kernels/dense/onednn.hpp"

namespace trisect::dense {
namespace {

Product product_of(const Gemm::Args& args) { return {args.x, args.w, args.bias, args.y, args.accumulate}; }

}  // namespace

void gemm_onednn_packed(const Gemm::Problem&, const Gemm::Args& args) {
  onednn_product_packed(product_of(args), args.prepared.get());
}

void gemm_onednn(const Gemm::Problem&, const Gemm::Args& args) { onednn_product(product_of(args)); }

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
  for (const Dtype type : {Dtype::kF32, Dtype::kBf16}) {
    for (const auto& [m, in, out] : {std::array{1, 1, 1},
                                     {1, 320, 517},
                                     {2, 3, 5},
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
  static const VariantOf<Problem, Args> table[] = {
      {.name = "ref", .run = gemm_ref},
      {.name = "onednn_packed",
       .available = [](const Problem& p) { return onednn_supports(p.dtype); },
       .run = gemm_onednn_packed,
       .prepare = [](const Problem& p, const Args& args) { return onednn_pack(args.w, p.m); }},
      {.name = "onednn", .run = gemm_onednn},
  };
  return table;
}

}  // namespace trisect::dense
