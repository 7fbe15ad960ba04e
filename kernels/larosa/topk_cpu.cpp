#include <algorithm>
#include <numeric>
#include <vector>

#include "kernels/core/error.hpp"
#include "kernels/larosa/topk_cuda.hpp"
#include "kernels/larosa/topk_detail.hpp"

namespace trisect::larosa {
namespace {

template <class Select>
void each_row(const Topk::Problem& problem, const Topk::Args& args, Select select) {
  const int k = kept(problem.n, problem.sparsity_permille);
#pragma omp parallel for schedule(static) if (problem.rows > 1)
  for (int r = 0; r < problem.rows; ++r) {
    select(args.x.row<float>(r), k, args.index.row<std::int32_t>(r), args.value.row<float>(r));
  }
}

/// Orders (magnitude, index) pairs with the standard library: what one writes first.
void topk_partial_sort(const Topk::Problem& problem, const Topk::Args& args) {
  each_row(problem, args, [&](const float* x, int k, std::int32_t* index, float* value) {
    thread_local std::vector<std::int32_t> order;
    order.resize(static_cast<std::size_t>(problem.n));
    std::iota(order.begin(), order.end(), 0);
    std::partial_sort(order.begin(), order.begin() + k, order.end(), [x](std::int32_t a, std::int32_t b) {
      const std::uint32_t ma = magnitude(x[a]), mb = magnitude(x[b]);
      return ma != mb ? ma > mb : a < b;
    });
    std::sort(order.begin(), order.begin() + k);
    std::copy_n(order.begin(), k, index);
    for (int i = 0; i < k; ++i) value[i] = x[index[i]];
  });
}

}  // namespace

/// The k-th magnitude by nth_element over a copy, then one sweep that keeps what is above it and the first ties.
void topk_nth_element(const Topk::Problem& problem, const Topk::Args& args) {
  each_row(problem, args, [&](const float* x, int k, std::int32_t* index, float* value) {
    if (k == 0) return;
    thread_local std::vector<std::uint32_t> keys;
    keys.resize(static_cast<std::size_t>(problem.n));
    std::transform(x, x + problem.n, keys.begin(), magnitude);
    std::nth_element(keys.begin(), keys.begin() + (k - 1), keys.end(), std::greater<>());
    const std::uint32_t threshold = keys[static_cast<std::size_t>(k - 1)];
    auto ties = k - std::count_if(keys.begin(), keys.begin() + k, [&](std::uint32_t m) { return m > threshold; });
    for (int i = 0, kept_so_far = 0; kept_so_far < k; ++i) {
      const std::uint32_t m = magnitude(x[i]);
      if (m < threshold || (m == threshold && ties-- <= 0)) continue;
      index[kept_so_far] = i;
      value[kept_so_far++] = x[i];
    }
  });
}

int kept(int n, int sparsity_permille) {
  if (sparsity_permille < 0 || sparsity_permille > 1000) {
    usage_error("a sparsity of {} permille is not within 0 and 1000", sparsity_permille);
  }
  return n - static_cast<int>(std::int64_t{n} * sparsity_permille / 1000);
}

Cost Topk::cost(const Problem& p) {
  const double k = kept(p.n, p.sparsity_permille);
  return {4.0 * p.rows * p.n, 8.0 * p.rows * k, 0};
}

Topk::Args Topk::make(const Problem& p, Arena& arena) {
  const int k = kept(p.n, p.sparsity_permille);
  return {arena.input(Dtype::kF32, p.rows, p.n), arena.output(Dtype::kI32, p.rows, k),
          arena.output(Dtype::kF32, p.rows, k)};
}

Check Topk::check(const Problem&, const Args& got, const Args& want) {
  return worse(check_equal(got.index, want.index), check_equal(got.value, want.value));
}

std::vector<Topk::Problem> Topk::odd_problems() {
  std::vector<Problem> problems;
  for (const int n : {1, 2, 15, 16, 17, 33, 255, 1000, 2560, 10240}) {
    for (const int permille : {0, 1, 333, 500, 750, 999, 1000}) problems.push_back({1, n, permille});
  }
  problems.push_back({5, 321, 400});
  return problems;
}

std::span<const Topk::Variant> Topk::variants() {
  static const Variant cpu[] = {
      {.name = "ref", .run = topk_ref},
      {.name = "cpu_partial_sort", .run = topk_partial_sort},
      {.name = "cpu_nth_element", .run = topk_nth_element},
      {.name = "cpu_bisect", .run = topk_bisect},
  };
  if constexpr (kCudaBuild) {
    static const auto all = joined<Variant>(cpu, topk_cuda_variants());
    return all;
  } else {
    return cpu;
  }
}

}  // namespace trisect::larosa
