#include "kernels/larosa/rmsnorm.hpp"

#include <cmath>

#include "kernels/larosa/rmsnorm_cuda.hpp"

namespace trisect::larosa {
namespace {

void rmsnorm_ref(const Rmsnorm::Problem& problem, const Rmsnorm::Args& args) {
  for (int r = 0; r < problem.rows; ++r) {
    const float* x = args.x.row<float>(r);
    double square = 0;
    for (int i = 0; i < problem.n; ++i) square += double{x[i]} * double{x[i]};
    const double scale = 1 / std::sqrt(square / problem.n + double{args.eps});
    for (int i = 0; i < problem.n; ++i) args.y.row<float>(r)[i] = static_cast<float>(x[i] * scale);
  }
}

void rmsnorm_cpu(const Rmsnorm::Problem& problem, const Rmsnorm::Args& args) {
#pragma omp parallel for schedule(static) if (problem.rows > 1)
  for (int r = 0; r < problem.rows; ++r) {
    const float* x = args.x.row<float>(r);
    float* y = args.y.row<float>(r);
    float square = 0;
#pragma omp simd reduction(+ : square)
    for (int i = 0; i < problem.n; ++i) square += x[i] * x[i];
    const float scale = 1 / std::sqrt(square / static_cast<float>(problem.n) + args.eps);
#pragma omp simd
    for (int i = 0; i < problem.n; ++i) y[i] = x[i] * scale;
  }
}

}  // namespace

Cost Rmsnorm::cost(const Problem& p) {
  const double elements = double{1} * p.rows * p.n;
  return {4 * elements, 4 * elements, 3 * elements};
}

Rmsnorm::Args Rmsnorm::make(const Problem& p, Arena& arena) {
  return {arena.input(Dtype::kF32, p.rows, p.n), arena.output(Dtype::kF32, p.rows, p.n)};
}

Check Rmsnorm::check(const Problem&, const Args& got, const Args& want) {
  return check_close(got.y, want.y, 1e-6);
}

std::vector<Rmsnorm::Problem> Rmsnorm::odd_problems() {
  return {{1, 1}, {1, 7}, {3, 31}, {17, 320}, {2, 2579}};
}

std::span<const Rmsnorm::Variant> Rmsnorm::variants() {
  static const Variant cpu[] = {{.name = "ref", .run = rmsnorm_ref}, {.name = "cpu", .run = rmsnorm_cpu}};
  if constexpr (kCudaBuild) {
    static const auto all = joined<Variant>(cpu, rmsnorm_cuda_variants());
    return all;
  } else {
    return cpu;
  }
}

}  // namespace trisect::larosa
