#include "kernels/larosa/layer.hpp"

#include <chrono>
#include <cmath>

#include "kernels/core/nvtx.hpp"
#include "kernels/dense/gemv.hpp"
#include "kernels/dense/panels.hpp"
#include "kernels/dense/row_kernel.hpp"
#include "kernels/larosa/layer_cuda.hpp"
#include "kernels/larosa/scatter.hpp"
#include "kernels/larosa/topk.hpp"

namespace trisect::larosa {
namespace {

/// The kernels that one way of running is made of.
struct Kernels {
  dense::RowProductFn* rotate;
  dense::RowProductFn* product;
  bool in_panels;  ///< weights that no row is skipped of
  Topk::Variant::Fn* topk;
  Scatter::Variant::Fn* scatter;
};

Kernels reference_kernels() {
  return {dense::row_product_ref, dense::row_product_ref, false, Topk::variants()[0].run,
          Scatter::variants()[0].run};
}

/// The rotation keeps its activations in f32 (the row kernel is bound by reading Q either way): rounding them
/// to bf16 would change which entries are selected.
Kernels fastest_kernels(const Layer::Problem& p) {
  return {dense::row_product_fma, dense::best_row_product(p.dtype), bool{dense::panels_run(p.dtype)},
          best_variant<Topk>({1, p.in, p.sparsity_permille}).run,
          best_variant<Scatter>({1, p.in, p.sparsity_permille}).run};
}

/// Runs a stage under its name on the timeline and adds its duration.
template <class Stage>
void timed(const char* name, double& nanoseconds, Stage stage) {
  const NvtxRange range(name);
  const auto start = std::chrono::steady_clock::now();
  stage();
  nanoseconds += std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count();
}

void multiply(dense::RowProductFn* product, const View& x, const View& w, const View& y) {
  product({.w = w, .value = x.row<float>(), .count = static_cast<int>(w.rows), .y = y.row<float>()});
}

void select(const Layer::Problem& p, const Layer::Args& a, const Kernels& kernels) {
  if (p.is_rotated) timed("rotate", a.stages->rotate, [&] { multiply(kernels.rotate, a.x, a.q, a.rotated); });
  const View& from = p.is_rotated ? a.rotated : a.x;
  timed("topk", a.stages->topk, [&] {
    kernels.topk({1, p.in, p.sparsity_permille}, {from, a.index, a.value});
  });
}

void multiply_all(const View& x, const Layer::Args& a, const Kernels& kernels) {
  timed("product", a.stages->product, [&] {
    if (!kernels.in_panels) return multiply(kernels.product, x, a.w, a.y);
    multiply(dense::panel_product, x, dense::panels_of(a.w, a.prepared.get()), a.y);
  });
}

void dense_with(const Layer::Problem&, const Layer::Args& a, const Kernels& kernels) {
  multiply_all(a.x, a, kernels);
}

void naive_with(const Layer::Problem& p, const Layer::Args& a, const Kernels& kernels) {
  select(p, a, kernels);
  timed("scatter", a.stages->scatter, [&] {
    kernels.scatter({1, p.in, p.sparsity_permille}, {a.index, a.value, a.scattered});
  });
  if (p.is_rotated) {
    timed("unrotate", a.stages->unrotate,
          [&] { multiply(kernels.rotate, a.scattered, a.q_transposed, a.unrotated); });
  }
  multiply_all(p.is_rotated ? a.unrotated : a.scattered, a, kernels);
}

void online_with(const Layer::Problem& p, const Layer::Args& a, const Kernels& kernels) {
  select(p, a, kernels);
  timed("product", a.stages->product, [&] {
    kernels.product({.w = a.w,
                     .index = a.index.row<std::int32_t>(),
                     .value = a.value.row<float>(),
                     .count = static_cast<int>(a.index.cols),
                     .y = a.y.row<float>()});
  });
}

/// Weights as dense products read them fastest, where that is not in rows.
std::shared_ptr<void> prepare_panels(const Layer::Problem& p, const Layer::Args& a) {
  return dense::panels_run(p.dtype) ? dense::copy_in_panels(a.w) : nullptr;
}

using Mode = void(const Layer::Problem&, const Layer::Args&, const Kernels&);

template <Mode mode>
void reference(const Layer::Problem& p, const Layer::Args& a) {
  mode(p, a, reference_kernels());
}

template <Mode mode>
void fastest(const Layer::Problem& p, const Layer::Args& a) {
  mode(p, a, fastest_kernels(p));
}

}  // namespace

Cost Layer::cost(const Problem& p) { return dense::Gemv::cost({p.in, p.out, p.dtype}); }

Layer::Args Layer::make(const Problem& p, Arena& arena) {
  const int k = kept(p.in, p.sparsity_permille);
  const float scale = 1 / std::sqrt(static_cast<float>(p.in));
  Args args;
  args.x = arena.input(Dtype::kF32, 1, p.in);
  args.w = arena.weight(p.dtype, p.in, p.out, scale);
  args.scattered = arena.output(Dtype::kF32, 1, p.in);
  if (p.is_rotated) {
    for (View* view : {&args.q, &args.q_transposed}) *view = arena.weight(p.dtype, p.in, p.in, scale);
    for (View* view : {&args.rotated, &args.unrotated}) *view = arena.output(Dtype::kF32, 1, p.in);
  }
  args.index = arena.output(Dtype::kI32, 1, k);
  args.value = arena.output(Dtype::kF32, 1, k);
  args.y = arena.output(Dtype::kF32, 1, p.out);
  args.stages = std::make_shared<StageTimes>();
  return args;
}

Check Layer::check(const Problem& p, const Args& got, const Args& want) {
  return check_close(got.y, want.y, dense::product_tolerance(p.dtype));
}

std::vector<Layer::Problem> Layer::odd_problems() {
  std::vector<Problem> problems;
  for (const Dtype type : {Dtype::kF32, Dtype::kBf16, Dtype::kF16}) {
    for (const int rotated : {0, 1}) {
      for (const int permille : {0, 500, 750}) {
        problems.push_back({33, 65, rotated, permille, type});
        problems.push_back({320, 2240, rotated, permille, type});
      }
    }
  }
  return problems;
}

std::span<const Layer::Variant> Layer::variants() {
  static const Variant cpu[] = {
      {.name = "ref", .run = reference<online_with>},
      {.name = "dense", .run = fastest<dense_with>, .ref = reference<dense_with>, .prepare = prepare_panels},
      {.name = "naive", .run = fastest<naive_with>, .ref = reference<naive_with>, .prepare = prepare_panels},
      {.name = "online", .run = fastest<online_with>, .ref = reference<online_with>},
  };
  if constexpr (kCudaBuild) {
    static const auto all = joined<Variant>(
        cpu, layer_cuda_variants({reference<dense_with>, reference<naive_with>, reference<online_with>}));
    return all;
  } else {
    return cpu;
  }
}

}  // namespace trisect::larosa
