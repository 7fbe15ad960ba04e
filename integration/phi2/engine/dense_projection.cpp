#include "integration/phi2/engine/dense_projection.hpp"

#include <cstring>

#include "kernels/dense/embedding.hpp"
#include "kernels/dense/gelu.hpp"
#include "kernels/dense/gemm.hpp"
#include "kernels/dense/gemv.hpp"
#include "kernels/dense/layernorm.hpp"
#include "kernels/dense/panels.hpp"

namespace trisect::phi2 {

DenseProjection::DenseProjection(const Weights& weights, int max_rows, StageClock& clock)
    : weights_(weights),
      clock_(clock),
      normed_(weights.device, Dtype::kF32, max_rows, weights.config.hidden) {}

void DenseProjection::embed(const Rows& rows, const View& x) {
  const dense::Embedding::Problem problem{rows.count(), weights_.config.vocab, weights_.config.hidden,
                                          weights_.dtype};
  clock_.time(Stage::kEmbed, [&] {
    best_variant<dense::Embedding>(problem, weights_.device)
        .run(problem, {weights_.embedding, Rows::view(rows.token), x});
  });
}

void DenseProjection::in(int index, const View& x, const View& qkvh) {
  const LayerWeights& w = layer(index);
  const View normed = normalize(x, w.norm_gain, w.norm_bias);
  clock_.time(Stage::kInProduct,
              [&] { multiply(normed, w.qkvh, w.qkvh_bias, qkvh, false, w.out, weights_.device); });
}

void DenseProjection::out(int index, const View& attention_h, const View& x) {
  gelu_h(attention_h);
  const LayerWeights& w = layer(index);
  clock_.time(Stage::kOutProduct, [&] {
    multiply(attention_h, w.out, w.out_bias, x, /*accumulate=*/true, read_after(index), weights_.device);
  });
}

void DenseProjection::logits(const View& x, const View& y) {
  const View normed = normalize(x, weights_.final_gain, weights_.final_bias);
  clock_.time(Stage::kHead, [&] {
    multiply(normed, weights_.head, weights_.head_bias, y, false, layer(0).qkvh, weights_.device);
  });
}

View DenseProjection::normalize(const View& x, const View& gain, const View& bias) {
  const View normed = normed_.view().rows_from(0, x.rows);
  const dense::Layernorm::Problem problem{static_cast<int>(x.rows), static_cast<int>(x.cols)};
  clock_.time(Stage::kNorm, [&] {
    best_variant<dense::Layernorm>(problem, weights_.device)
        .run(problem, {x, gain, bias, normed, weights_.config.layer_norm_eps});
  });
  return normed;
}

void DenseProjection::gelu_h(const View& attention_h) {
  const View h = attention_h.columns(weights_.config.hidden, weights_.config.intermediate);
  const dense::Gelu::Problem problem{static_cast<int>(h.rows), static_cast<int>(h.cols)};
  clock_.time(Stage::kGelu, [&] {
    best_variant<dense::Gelu>(problem, weights_.device).run(problem, {h, h});
  });
}

void multiply(const View& x, const Matrix& w, const View& bias, const View& y, bool accumulate,
              const Matrix& next, Device device) {
  const int rows = static_cast<int>(x.rows), in = static_cast<int>(w.rows), out = static_cast<int>(w.cols);
  const std::shared_ptr<void> panels(std::shared_ptr<void>(), w.in_panels ? w.data : nullptr);
  if (rows == 1) {
    const dense::Gemv::Problem problem{in, out, w.dtype};
    const auto& gemv =
        w.in_panels ? variant_named<dense::Gemv>("cpu_panels") : best_variant<dense::Gemv>(problem, device);
    gemv.run(problem, {x, w, bias, y, accumulate, panels, next});
  } else {
    const dense::Gemm::Problem problem{rows, in, out, w.dtype};
    const auto& gemm =
        w.in_panels ? dense::best_in_panels(problem) : best_variant<dense::Gemm>(problem, device);
    gemm.run(problem, {x, w, bias, y, accumulate, panels});
  }
}

void lay_in_panels(Weights& weights, bool only_head) {
  if (weights.device != Device::kCpu || !dense::panels_run(weights.dtype)) return;
  if (!forced_variant(dense::Gemv::name).empty() || !forced_variant(dense::Gemm::name).empty()) return;
  Scratch rows;
  const auto change = [&](Matrix& w) {
    const View copy(rows.reserve<bf16>(w.rows * w.stride), w.dtype, w.rows, w.cols, w.stride);
    std::memcpy(copy.data, w.data, static_cast<std::size_t>(w.rows * w.stride) * sizeof(bf16));
    dense::to_panels(copy, static_cast<bf16*>(w.data));
    w.in_panels = true;
  };
  change(weights.head);  // the largest
  if (only_head) return;
  for (LayerWeights& layer : weights.layers) change(layer.qkvh), change(layer.out);
}

std::unique_ptr<Projection> make_dense_projection(const Weights& weights, int max_rows, StageClock& clock) {
  return std::make_unique<DenseProjection>(weights, max_rows, clock);
}

}  // namespace trisect::phi2
