#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/dense/gelu_cpu.cpp"
#include <hwy/foreach_target.h>
//
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include "kernels/dense/gelu.hpp"
#include "kernels/dense/elementwise_cuda.hpp"
#include "kernels/dense/simd_inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace trisect::dense::HWY_NAMESPACE {

void gelu_elements(const float* x, std::int64_t n, float* y) {
  constexpr double kTwiceFactor = 1.5957691216057308;  // 2 sqrt(2 / pi)
  constexpr float kLinear = static_cast<float>(-kTwiceFactor);
  constexpr float kCubic = static_cast<float>(-kTwiceFactor * 0.044715);
  constexpr float kExpOverflows = 104;
  for_each_vector(n, [&](auto d, std::int64_t i) HWY_ATTR {
    const auto v = hn::LoadU(d, x + i);
    const auto slope = hn::MulAdd(hn::Mul(v, v), hn::Set(d, kCubic), hn::Set(d, kLinear));
    const auto exponent = hn::Min(hn::Mul(v, slope), hn::Set(d, kExpOverflows));
    hn::StoreU(hn::Div(v, hn::Add(hn::Set(d, 1.0f), hn::Exp(d, exponent))), d, y + i);
  });
}

}  // namespace trisect::dense::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace trisect::dense {

HWY_EXPORT(gelu_elements);

void gelu_cpu(const Gelu::Problem& problem, const Gelu::Args& args) {
  constexpr std::int64_t kBlock = 2048;
  const std::int64_t blocks = (problem.n + kBlock - 1) / kBlock;
#pragma omp parallel for schedule(static) if (problem.rows * blocks > 2)
  for (std::int64_t i = 0; i < problem.rows * blocks; ++i) {
    const std::int64_t row = i / blocks, first = i % blocks * kBlock;
    HWY_DYNAMIC_DISPATCH(gelu_elements)
    (args.x.row<float>(row) + first, std::min(kBlock, problem.n - first), args.y.row<float>(row) + first);
  }
}

Cost Gelu::cost(const Problem& p) {
  constexpr double kFlopsEach = 25;  // the exponential's polynomial and range reduction included
  const double elements = double{1} * p.rows * p.n;
  return {4 * elements, 4 * elements, kFlopsEach * elements};
}

Gelu::Args Gelu::make(const Problem& p, Arena& arena) {
  constexpr float kDeviation = 3;
  return {arena.input(Dtype::kF32, p.rows, p.n, Fill::kNormal, kDeviation),
          arena.output(Dtype::kF32, p.rows, p.n)};
}

Check Gelu::check(const Problem&, const Args& got, const Args& want) {
  return check_close(got.y, want.y, 1e-6);
}

std::vector<Gelu::Problem> Gelu::odd_problems() {
  return {{1, 1}, {1, 33}, {3, 7}, {1, 10240}, {5, 2049}, {17, 1280}};
}

std::span<const VariantOf<Gelu::Problem, Gelu::Args>> Gelu::variants() {
  static const VariantOf<Problem, Args> cpu[] = {
      {.name = "ref", .run = gelu_ref},
      {.name = "cpu_simd", .run = gelu_cpu},
  };
  if constexpr (kCudaBuild) {
    static const auto all = joined<VariantOf<Problem, Args>>(cpu, gelu_cuda_variants());
    return all;
  } else {
    return cpu;
  }
}

}  // namespace trisect::dense
#endif
