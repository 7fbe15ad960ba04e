#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/dense/layernorm_cpu.cpp"
#include <hwy/foreach_target.h>
//
#include <hwy/highway.h>

#include <cmath>

#include "kernels/dense/layernorm.hpp"
#include "kernels/dense/elementwise_cuda.hpp"
#include "kernels/dense/simd_inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace trisect::dense::HWY_NAMESPACE {

/// The sum of f(tag, i) over n elements, in several chains so that additions overlap.
template <class F>
HWY_INLINE float sum_of(std::int64_t n, const F& f) {
  constexpr int kChains = 4;
  const Floats d;
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(d));
  auto a = hn::Zero(d), b = a, c = a, e = a;
  std::int64_t i = 0;
  for (; i + kChains * lanes <= n; i += kChains * lanes) {
    a = hn::Add(a, f(d, i));
    b = hn::Add(b, f(d, i + lanes));
    c = hn::Add(c, f(d, i + 2 * lanes));
    e = hn::Add(e, f(d, i + 3 * lanes));
  }
  float sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(a, b), hn::Add(c, e))));
  for (; i < n; ++i) sum += hn::GetLane(f(OneFloat(), i));
  return sum;
}

void layernorm_row(const float* x, const float* gain, const float* bias, float eps, std::int64_t n,
                   float* y) {
  const float inverse_n = 1 / static_cast<float>(n);
  const float mean =
      inverse_n * sum_of(n, [&](auto d, std::int64_t i) HWY_ATTR { return hn::LoadU(d, x + i); });
  const float variance = inverse_n * sum_of(n, [&](auto d, std::int64_t i) HWY_ATTR {
                           const auto centred = hn::Sub(hn::LoadU(d, x + i), hn::Set(d, mean));
                           return hn::Mul(centred, centred);
                         });
  const float scale = 1 / std::sqrt(variance + eps);
  for_each_vector(n, [&](auto d, std::int64_t i) HWY_ATTR {
    const auto centred = hn::Sub(hn::LoadU(d, x + i), hn::Set(d, mean));
    const auto scaled = hn::Mul(centred, hn::Set(d, scale));
    hn::StoreU(hn::MulAdd(scaled, hn::LoadU(d, gain + i), hn::LoadU(d, bias + i)), d, y + i);
  });
}

}  // namespace trisect::dense::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace trisect::dense {

HWY_EXPORT(layernorm_row);

void layernorm_cpu(const Layernorm::Problem& problem, const Layernorm::Args& args) {
#pragma omp parallel for schedule(static) if (problem.rows > 1)
  for (int r = 0; r < problem.rows; ++r) {
    HWY_DYNAMIC_DISPATCH(layernorm_row)
    (args.x.row<float>(r), args.gain.row<float>(), args.bias.row<float>(), args.eps, problem.n,
     args.y.row<float>(r));
  }
}

Cost Layernorm::cost(const Problem& p) {
  const double elements = double{1} * p.rows * p.n;
  return {4 * elements + 8.0 * p.n, 4 * elements, 7 * elements};
}

Layernorm::Args Layernorm::make(const Problem& p, Arena& arena) {
  return {arena.input(Dtype::kF32, p.rows, p.n), arena.input(Dtype::kF32, 1, p.n),
          arena.input(Dtype::kF32, 1, p.n), arena.output(Dtype::kF32, p.rows, p.n)};
}

Check Layernorm::check(const Problem&, const Args& got, const Args& want) {
  return check_close(got.y, want.y, 1e-6);
}

std::vector<Layernorm::Problem> Layernorm::odd_problems() {
  return {{1, 2}, {1, 7}, {3, 31}, {17, 320}, {5, 2560}, {2, 2579}};
}

std::span<const VariantOf<Layernorm::Problem, Layernorm::Args>> Layernorm::variants() {
  static const VariantOf<Problem, Args> cpu[] = {
      {.name = "ref", .run = layernorm_ref},
      {.name = "cpu_simd", .run = layernorm_cpu},
  };
  if constexpr (kCudaBuild) {
    static const auto all = joined<VariantOf<Problem, Args>>(cpu, layernorm_cuda_variants());
    return all;
  } else {
    return cpu;
  }
}

}  // namespace trisect::dense
#endif
