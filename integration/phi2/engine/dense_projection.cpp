#include "integration/phi2/engine/dense_projection.hpp"

#include "kernels/dense/embedding.hpp"
#include "kernels/dense/gelu.hpp"
#include "kernels/dense/gemm.hpp"
#include "kernels/dense/gemv.hpp"
#include "kernels/dense/layernorm.hpp"

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

void multiply(const View& x, const View& w, const View& bias, const View& y, bool accumulate,
              const View& next, Device device) {
  const int in = static_cast<int>(w.rows), out = static_cast<int>(w.cols);
  if (x.rows == 1) {
    const dense::Gemv::Problem problem{in, out, w.dtype};
    best_variant<dense::Gemv>(problem, device).run(problem, {x, w, bias, y, accumulate, nullptr, next});
  } else {
    const dense::Gemm::Problem problem{static_cast<int>(x.rows), in, out, w.dtype};
    best_variant<dense::Gemm>(problem, device).run(problem, {x, w, bias, y, accumulate, nullptr});
  }
}

std::unique_ptr<Projection> make_dense_projection(const Weights& weights, int max_rows, StageClock& clock) {
  return std::make_unique<DenseProjection>(weights, max_rows, clock);
}

}  // namespace trisect::phi2
