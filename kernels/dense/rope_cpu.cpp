#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/dense/rope_cpu.cpp"
#include <hwy/foreach_target.h>
//
#include <hwy/highway.h>

#include <cmath>

#include "kernels/dense/rope.hpp"
#include "kernels/dense/elementwise_cuda.hpp"
#include "kernels/dense/simd_inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace trisect::dense::HWY_NAMESPACE {

void rope_row(const Rope::Problem& problem, const float* table, float* x) {
  const int half = problem.rotary / 2;
  for (int h = 0; h < problem.heads; ++h, x += problem.head_dim) {
    for_each_vector(half, [&](auto d, std::int64_t i) HWY_ATTR {
      const auto c = hn::LoadU(d, table + i), s = hn::LoadU(d, table + half + i);
      const auto a = hn::LoadU(d, x + i), b = hn::LoadU(d, x + half + i);
      hn::StoreU(hn::NegMulAdd(b, s, hn::Mul(a, c)), d, x + i);
      hn::StoreU(hn::MulAdd(b, c, hn::Mul(a, s)), d, x + half + i);
    });
  }
}

}  // namespace trisect::dense::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace trisect::dense {

HWY_EXPORT(rope_row);

Buffer make_rope_table(int positions, int rotary, double theta) {
  Buffer table(Dtype::kF32, positions, rotary);
  const int half = rotary / 2;
  for (int i = 0; i < half; ++i) {
    const double frequency = std::pow(theta, -2.0 * i / rotary);
    for (int p = 0; p < positions; ++p) {
      table.view().row<float>(p)[i] = static_cast<float>(std::cos(p * frequency));
      table.view().row<float>(p)[i + half] = static_cast<float>(std::sin(p * frequency));
    }
  }
  return table;
}

void rope_cpu(const Rope::Problem& problem, const Rope::Args& args) {
  const std::int32_t* position = args.position.row<std::int32_t>();
  for (int r = 0; r < problem.rows; ++r) {
    if (position[r] < 0 || position[r] >= args.table.rows) {
      usage_error("rope: position {} of row {} is outside the table's {}", position[r], r, args.table.rows);
    }
  }
#pragma omp parallel for schedule(static) if (problem.rows > 2)
  for (int r = 0; r < problem.rows; ++r) {
    HWY_DYNAMIC_DISPATCH(rope_row)(problem, args.table.row<float>(position[r]), args.x.row<float>(r));
  }
}

Cost Rope::cost(const Problem& p) {
  const double turned = 4.0 * p.rows * p.heads * p.rotary;
  return {turned + 4.0 * p.rows * (1 + p.rotary), turned, 0.75 * turned};
}

Rope::Args Rope::make(const Problem& p, Arena& arena) {
  return {arena.inout(Dtype::kF32, p.rows, std::int64_t{1} * p.heads * p.head_dim),
          arena.indices(1, p.rows, p.positions), arena.input(Dtype::kF32, p.positions, p.rotary)};
}

Check Rope::check(const Problem&, const Args& got, const Args& want) {
  return check_close(got.x, want.x, 1e-6);
}

std::vector<Rope::Problem> Rope::odd_problems() {
  return {{1, 1, 2, 2, 1},   {1, 64, 80, 32, 2048}, {3, 5, 80, 32, 2048}, {7, 4, 64, 32, 512},
          {2, 3, 32, 32, 5}, {5, 2, 20, 14, 9},     {33, 8, 80, 32, 77}};
}

std::span<const VariantOf<Rope::Problem, Rope::Args>> Rope::variants() {
  static const VariantOf<Problem, Args> cpu[] = {
      {.name = "ref", .run = rope_ref},
      {.name = "cpu_simd", .run = rope_cpu},
  };
  if constexpr (kCudaBuild) {
    static const auto all = joined<VariantOf<Problem, Args>>(cpu, rope_cuda_variants());
    return all;
  } else {
    return cpu;
  }
}

}  // namespace trisect::dense
#endif
