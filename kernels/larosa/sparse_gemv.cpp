#include "kernels/larosa/sparse_gemv.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/core/buffer.hpp"
#include "kernels/dense/gemv.hpp"
#include "kernels/dense/row_kernel.hpp"
#include "kernels/larosa/products_cuda.hpp"
#include "kernels/larosa/topk.hpp"

namespace trisect::larosa {
namespace {

template <dense::RowProductFn Product>
void kept_rows(const SparseGemv::Problem& problem, const SparseGemv::Args& args) {
  for (int token = 0; token < problem.rows; ++token) {
    Product({.w = args.w,
             .index = args.index.row<std::int32_t>(token),
             .value = args.value.row<float>(token),
             .count = static_cast<int>(args.index.cols),
             .bias = args.bias ? args.bias.row<float>() : nullptr,
             .y = args.y.row<float>(token),
             .accumulate = args.accumulate});
  }
}

/// The rows of weights that any token keeps, ascending, and each token's factor for each of them.
struct Union {
  const std::int32_t* index;
  const float* value;  // [tokens][count]
  int count;
};

Union union_of(const SparseGemv::Args& args, int tokens) {
  const std::size_t in = static_cast<std::size_t>(args.w.rows);
  thread_local Scratch places, indices, values;
  std::int32_t* place = places.reserve<std::int32_t>(args.w.rows);  // in the union, or -1
  std::int32_t* index = indices.reserve<std::int32_t>(args.w.rows);
  std::fill_n(place, in, -1);
  for (int token = 0; token < tokens; ++token) {
    const std::int32_t* kept_by = args.index.row<std::int32_t>(token);
    for (std::int64_t i = 0; i < args.index.cols; ++i) place[kept_by[i]] = 0;
  }
  std::int32_t count = 0;
  for (std::int32_t i = 0; i < static_cast<std::int32_t>(in); ++i) {
    if (place[i] < 0) continue;
    index[count] = i;
    place[i] = count++;
  }
  float* value = values.reserve<float>(std::int64_t{tokens} * count);
#pragma omp parallel for schedule(static)
  for (int token = 0; token < tokens; ++token) {
    float* to = value + std::int64_t{token} * count;
    std::fill_n(to, count, 0.0f);
    const std::int32_t* kept_by = args.index.row<std::int32_t>(token);
    const float* factors = args.value.row<float>(token);
    for (std::int64_t i = 0; i < args.index.cols; ++i) to[place[kept_by[i]]] = factors[i];
  }
  return {index, value, count};
}

template <dense::RowProductFn Product>
void rows_of_union(const SparseGemv::Problem& problem, const SparseGemv::Args& args) {
  const Union all = union_of(args, problem.rows);
  Product({.w = args.w,
           .index = all.index,
           .value = all.value,
           .count = all.count,
           .bias = args.bias ? args.bias.row<float>() : nullptr,
           .y = args.y.row<float>(),
           .accumulate = args.accumulate,
           .tokens = problem.rows,
           .value_stride = all.count,
           .y_stride = args.y.stride});
}

/// A single token's kept rows are their own union.
Availability with_union(const SparseGemv::Problem& problem, Availability product) {
  return problem.rows > 1 ? product : Availability{"takes two rows and more"};
}

}  // namespace

Cost SparseGemv::cost(const Problem& p) {
  const double in = p.in, k = kept(p.in, p.sparsity_permille), out = p.out, rows = p.rows;
  const double any = in - (in - k) * std::pow((in - k) / in, rows - 1);
  return {any * out * static_cast<double>(size_of(p.dtype)) + 8 * rows * k + 4 * out, 4 * rows * out,
          2 * rows * k * out};
}

SparseGemv::Args SparseGemv::make(const Problem& p, Arena& arena) {
  const int k = kept(p.in, p.sparsity_permille);
  return {arena.subset(p.rows, k, p.in), arena.input(Dtype::kF32, p.rows, k),
          arena.weight(p.dtype, p.in, p.out, 1 / std::sqrt(static_cast<float>(p.in))),
          arena.input(Dtype::kF32, 1, p.out), arena.output(Dtype::kF32, p.rows, p.out)};
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
      for (const int rows : {2, 3, 8}) problems.push_back({41, 67, permille, type, rows});
      problems.push_back({130, 9001, permille, type, 7});
    }
  }
  return problems;
}

std::span<const SparseGemv::Variant> SparseGemv::variants() {
  static const Variant cpu[] = {
      {.name = "ref", .run = kept_rows<dense::row_product_ref>},
      {.name = "cpu_fma", .run = kept_rows<dense::row_product_fma>},
      {.name = "cpu_bf16",
       .available = [](const Problem& p) { return dense::row_product_bf16_runs(p.dtype); },
       .run = kept_rows<dense::row_product_bf16>},
      {.name = "cpu_union_fma",
       .available = [](const Problem& p) { return with_union(p, {}); },
       .run = rows_of_union<dense::row_product_fma>},
      {.name = "cpu_union_bf16",
       .available = [](const Problem& p) { return with_union(p, dense::row_product_bf16_runs(p.dtype)); },
       .run = rows_of_union<dense::row_product_bf16>},
  };
  if constexpr (kCudaBuild) {
    static const auto all = joined<Variant>(cpu, sparse_gemv_cuda_variants());
    return all;
  } else {
    return cpu;
  }
}

}  // namespace trisect::larosa
