#include "kernels/larosa/gelu_topk.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

#include "kernels/core/buffer.hpp"
#include "kernels/dense/gelu.hpp"
#include "kernels/larosa/topk_cuda.hpp"

namespace trisect::larosa {
namespace {

template <auto Gelu, class Select>
void one_after_the_other(const GeluTopk::Problem& p, const GeluTopk::Args& args, Select select) {
  thread_local Scratch scratch;
  const View y = View::of(scratch.reserve<float>(std::int64_t{p.rows} * p.n), p.rows, p.n);
  Gelu({p.rows, p.n}, {args.x, y});
  select(p, {y, args.index, args.value});
}

void gelu_topk_ref(const GeluTopk::Problem& p, const GeluTopk::Args& args) {
  one_after_the_other<dense::gelu_ref>(p, args, Topk::variants().front().run);
}

void gelu_topk_cpu(const GeluTopk::Problem& p, const GeluTopk::Args& args) {
  one_after_the_other<dense::gelu_cpu>(p, args, best_variant<Topk>(p).run);
}

/// Magnitudes of each row, the largest first.
Buffer ordered(const View& values) {
  Buffer result(Dtype::kF32, values.rows, values.cols);
  for (std::int64_t r = 0; r < values.rows; ++r) {
    float* const row = result.view().row<float>(r);
    std::transform(values.row<float>(r), values.row<float>(r) + values.cols, row,
                   [](float x) { return std::abs(x); });
    std::sort(row, row + values.cols, std::greater<>());
  }
  return result;
}

}  // namespace

Cost GeluTopk::cost(const Problem& p) {
  Cost cost = Topk::cost(p);
  cost.flops = dense::Gelu::cost({p.rows, p.n}).flops;
  return cost;
}

GeluTopk::Args GeluTopk::make(const Problem& p, Arena& arena) { return Topk::make(p, arena); }

Check GeluTopk::check(const Problem& p, const Args& got, const Args& want) {
  constexpr double kTolerance = 1e-6;
  if (check_equal(got.index, want.index).status == CheckStatus::kPass)
    return check_close(got.value, want.value, kTolerance);
  const Buffer all(Dtype::kF32, p.rows, p.n), there(Dtype::kF32, p.rows, got.index.cols);
  dense::gelu_ref({p.rows, p.n}, {want.x, all.view()});
  for (std::int64_t r = 0; r < p.rows; ++r) {
    const std::int32_t* const index = got.index.row<std::int32_t>(r);
    for (std::int64_t i = 0; i < got.index.cols; ++i) {
      if (index[i] < 0 || index[i] >= p.n || (i > 0 && index[i] <= index[i - 1]))
        return {CheckStatus::kFail, 1, 0, fmt::format("[{},{}] is index {}", r, i, index[i])};
      there.view().row<float>(r)[i] = all.view().row<float>(r)[index[i]];
    }
  }
  return worse(check_close(got.value, there.view(), kTolerance),
               check_close(ordered(got.value).view(), ordered(want.value).view(), kTolerance));
}

std::vector<GeluTopk::Problem> GeluTopk::odd_problems() {
  return {{1, 1, 0},      {1, 33, 400},    {3, 7, 500}, {1, 10240, 600},
          {5, 2049, 250}, {2, 1280, 1000}, {64, 31, 0}};
}

std::span<const GeluTopk::Variant> GeluTopk::variants() {
  static const Variant cpu[] = {
      {.name = "ref", .run = gelu_topk_ref},
      {.name = "cpu", .run = gelu_topk_cpu},
  };
  if constexpr (kCudaBuild) {
    static const auto all = joined<Variant>(cpu, gelu_topk_cuda_variants());
    return all;
  } else {
    return cpu;
  }
}

}  // namespace trisect::larosa
