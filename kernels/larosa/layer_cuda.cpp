// The modes as sequences of launches: rotate, select, product. Each also as a captured graph, whose replay
// leaves out what the host spends on a launch.
#include "kernels/larosa/layer_cuda.hpp"

#include "kernels/core/cuda/graph.hpp"
#include "kernels/dense/row_product_cuda.hpp"
#include "kernels/larosa/scatter_cuda.hpp"
#include "kernels/larosa/topk.hpp"
#include "kernels/larosa/topk_cuda.hpp"

namespace trisect::larosa {
namespace {

using Fn = Layer::Variant::Fn;

void multiply(const View& x, const View& w, const View& y) {
  dense::row_product_cuda({.w = w, .index = {}, .value = x, .bias = {}, .y = y});
}

/// What the selection reads.
const View& rotated(const Layer::Problem& p, const Layer::Args& a) {
  if (!p.is_rotated) return a.x;
  multiply(a.x, a.q, a.rotated);
  return a.rotated;
}

void select(const Layer::Problem& p, const Layer::Args& a) {
  topk_cuda_radix({1, p.in, p.sparsity_permille}, {rotated(p, a), a.index, a.value});
}

void cublas_dense(const Layer::Problem&, const Layer::Args& a) {
  dense::row_product_cublas({.w = a.w, .index = {}, .value = a.x, .bias = {}, .y = a.y});
}

void cuda_dense(const Layer::Problem&, const Layer::Args& a) { multiply(a.x, a.w, a.y); }

void naive(const Layer::Problem& p, const Layer::Args& a) {
  select(p, a);
  scatter_cuda({1, p.in, p.sparsity_permille}, {a.index, a.value, a.scattered});
  if (p.is_rotated) multiply(a.scattered, a.q_transposed, a.unrotated);
  multiply(p.is_rotated ? a.unrotated : a.scattered, a.w, a.y);
}

void online(const Layer::Problem& p, const Layer::Args& a) {
  select(p, a);
  dense::row_product_cuda({.w = a.w, .index = a.index, .value = a.value, .bias = {}, .y = a.y});
}

void fused(const Layer::Problem& p, const Layer::Args& a) {
  select_product_cuda(rotated(p, a), kept(p.in, p.sparsity_permille), a.w, a.y);
}

template <Fn mode>
std::shared_ptr<void> capture(const Layer::Problem& p, const Layer::Args& a) {
  return std::make_shared<cuda::Graph>([&] { mode(p, a); });
}

void replay(const Layer::Problem&, const Layer::Args& a) {
  static_cast<const cuda::Graph*>(a.prepared.get())->launch(cuda::current_stream());
}

Availability selects(const Layer::Problem& p) {
  if (p.in > kLongestSelected) return {fmt::format("selects from at most {} entries", kLongestSelected)};
  return on_cuda(p);
}

}  // namespace

std::span<const Layer::Variant> layer_cuda_variants(const LayerReferences& ref) {
  const auto row = [](std::string_view name, Fn* run, Fn* reference, bool always = false) {
    return Layer::Variant{.name = name,
                          .device = Device::kCuda,
                          .available = always ? on_cuda<Layer::Problem> : selects,
                          .run = run,
                          .ref = reference};
  };
  const auto graph = [](std::string_view name, Fn* reference,
                        std::shared_ptr<void> (*prepare)(const Layer::Problem&, const Layer::Args&)) {
    return Layer::Variant{.name = name,
                          .device = Device::kCuda,
                          .available = selects,
                          .run = replay,
                          .ref = reference,
                          .prepare = prepare};
  };
  static const Layer::Variant table[] = {
      row("cublas_dense", cublas_dense, ref.dense, true),
      row("cuda_dense", cuda_dense, ref.dense, true),
      row("cuda_naive", naive, ref.naive),
      row("cuda_online", online, ref.online),
      row("cuda_fused", fused, ref.online),
      graph("cuda_dense_graph", ref.dense, capture<cuda_dense>),
      graph("cuda_online_graph", ref.online, capture<online>),
      graph("cuda_fused_graph", ref.online, capture<fused>),
  };
  return table;
}

}  // namespace trisect::larosa
