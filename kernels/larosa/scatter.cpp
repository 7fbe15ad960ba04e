#include "kernels/larosa/scatter.hpp"

#include <algorithm>

#include "kernels/larosa/scatter_cuda.hpp"
#include "kernels/larosa/topk.hpp"

namespace trisect::larosa {
namespace {

void scatter_ref(const Scatter::Problem& problem, const Scatter::Args& args) {
  for (int r = 0; r < problem.rows; ++r) {
    for (int i = 0; i < problem.n; ++i) {
      float value = 0;
      for (std::int64_t j = 0; j < args.index.cols; ++j) {
        if (args.index.row<std::int32_t>(r)[j] == i) value = args.value.row<float>(r)[j];
      }
      args.y.row<float>(r)[i] = value;
    }
  }
}

void scatter_cpu(const Scatter::Problem& problem, const Scatter::Args& args) {
#pragma omp parallel for schedule(static) if (problem.rows > 1)
  for (int r = 0; r < problem.rows; ++r) {
    const std::int32_t* index = args.index.row<std::int32_t>(r);
    const float* value = args.value.row<float>(r);
    float* y = args.y.row<float>(r);
    std::fill_n(y, problem.n, 0.0f);
    for (std::int64_t j = 0; j < args.index.cols; ++j) y[index[j]] = value[j];
  }
}

}  // namespace

Cost Scatter::cost(const Problem& p) {
  const double k = kept(p.n, p.sparsity_permille);
  return {8.0 * p.rows * k, 4.0 * p.rows * p.n, 0};
}

Scatter::Args Scatter::make(const Problem& p, Arena& arena) {
  const int k = kept(p.n, p.sparsity_permille);
  return {arena.subset(p.rows, k, p.n), arena.input(Dtype::kF32, p.rows, k), arena.output(Dtype::kF32, p.rows, p.n)};
}

Check Scatter::check(const Problem&, const Args& got, const Args& want) { return check_equal(got.y, want.y); }

std::vector<Scatter::Problem> Scatter::odd_problems() {
  return {{1, 1, 0}, {1, 1, 1000}, {1, 17, 500}, {3, 257, 400}, {2, 1000, 999}, {1, 2560, 0}, {64, 33, 600}};
}

std::span<const Scatter::Variant> Scatter::variants() {
  static const Variant cpu[] = {{.name = "ref", .run = scatter_ref}, {.name = "cpu", .run = scatter_cpu}};
  if constexpr (kCudaBuild) {
    static const auto all = joined<Variant>(cpu, scatter_cuda_variants());
    return all;
  } else {
    return cpu;
  }
}

}  // namespace trisect::larosa
