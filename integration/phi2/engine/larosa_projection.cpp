#include "integration/phi2/engine/larosa_projection.hpp"

#include <algorithm>

#include "integration/phi2/engine/dense_projection.hpp"
#include "kernels/core/error.hpp"
#include "kernels/dense/row_kernel.hpp"
#include "kernels/larosa/scatter.hpp"
#include "kernels/larosa/sparse_gemv.hpp"
#include "kernels/larosa/topk.hpp"

namespace trisect::phi2 {
namespace {

Buffer converted(const View& from, Dtype type) {
  Buffer to(type, from.rows, from.cols);
  for (std::int64_t r = 0; r < from.rows; ++r) {
    convert(from.row<float>(r), Dtype::kF32, to.view().byte_row(r), type, static_cast<std::size_t>(from.cols));
  }
  return to;
}

Buffer transposed(const View& from) {
  Buffer to(Dtype::kF32, from.cols, from.rows);
  for (std::int64_t r = 0; r < from.rows; ++r) {
    for (std::int64_t c = 0; c < from.cols; ++c) to.view().row<float>(c)[r] = from.row<float>(r)[c];
  }
  return to;
}

class LarosaProjection : public DenseProjection {
 public:
  LarosaProjection(const Weights& weights, std::span<const View> rotations, const LarosaOptions& options, int max_rows,
                   StageClock& clock)
      : DenseProjection(weights, max_rows, clock),
        options_(options),
        rotated_(Dtype::kF32, max_rows, weights.config.hidden),
        restored_(Dtype::kF32, max_rows, weights.config.hidden),
        index_(Dtype::kI32, max_rows, weights.config.hidden + weights.config.intermediate),
        value_(Dtype::kF32, max_rows, weights.config.hidden + weights.config.intermediate) {
    for (const View& q : rotations) {
      q_.push_back(converted(q, weights.dtype));
      if (naive()) q_transposed_.push_back(converted(transposed(q).view(), weights.dtype));
    }
  }

  void in(int index, const View& x, const View& qkvh) override {
    const LayerWeights& w = layer(index);
    const View normed = normalize(x, w.norm_gain, w.norm_bias);
    if (naive() && !selects(x)) {
      clock_.time(Stage::kInProduct, [&] { multiply(normed, w.qkvh, w.qkvh_bias, qkvh); });
      return;
    }
    const View rotated = rotated_.view().rows_from(0, x.rows);
    rotate(normed, q_[static_cast<std::size_t>(index)].view(), rotated);
    if (!selects(x)) {
      clock_.time(Stage::kInProduct, [&] { multiply(rotated, w.qkvh, w.qkvh_bias, qkvh); });
      return;
    }
    const Selection selection = select(rotated, options_.in_permille(), 0);
    if (!naive() && x.rows == 1) {
      clock_.time(Stage::kInProduct, [&] { sparse_product(selection, w.qkvh, w.qkvh_bias, qkvh, false); });
      return;
    }
    scatter(selection, rotated);
    View product_input = rotated;
    if (naive()) {
      product_input = restored_.view().rows_from(0, x.rows);
      rotate(rotated, q_transposed_[static_cast<std::size_t>(index)].view(), product_input);
    }
    clock_.time(Stage::kInProduct, [&] { multiply(product_input, w.qkvh, w.qkvh_bias, qkvh); });
  }

  void out(int index, const View& attention_h, const View& x) override {
    if (!selects(x)) return DenseProjection::out(index, attention_h, x);
    gelu_h(attention_h);
    const LayerWeights& w = layer(index);
    const int hidden = weights_.config.hidden;
    const View attention = attention_h.columns(0, hidden);
    const View h = attention_h.columns(hidden, weights_.config.intermediate);
    const Selection from_attention = select(attention, options_.out_permille(), 0);
    const Selection from_h = select(h, options_.out_permille(), static_cast<int>(from_attention.index.cols));
    if (naive() || x.rows > 1) {
      scatter(from_attention, attention);
      scatter(from_h, h);
      clock_.time(Stage::kOutProduct, [&] { multiply(attention_h, w.out, w.out_bias, x, true); });
      return;
    }
    clock_.time(Stage::kOutProduct, [&] {
      // One product over both: fc2's rows follow dense's, in the selection as in the weights.
      std::int32_t* index_of_h = from_h.index.row<std::int32_t>();
      std::for_each(index_of_h, index_of_h + from_h.index.cols, [&](std::int32_t& i) { i += hidden; });
      const std::int64_t count = from_attention.index.cols + from_h.index.cols;
      const Selection both{index_.view().columns(0, count).rows_from(0, 1),
                           value_.view().columns(0, count).rows_from(0, 1)};
      sparse_product(both, w.out, w.out_bias, x, true);
    });
  }

  std::size_t scratch_bytes() const override {
    return DenseProjection::scratch_bytes() + rotated_.bytes() + restored_.bytes() + index_.bytes() + value_.bytes();
  }

 private:
  struct Selection {
    View index, value;  // [rows][k]
  };

  bool naive() const { return options_.mode == LarosaMode::kNaive; }
  bool selects(const View& x) const { return x.rows == 1 || options_.prefill; }

  /// A single row keeps its activations in f32, as in larosa/layer: what is selected must not depend on rounding.
  void rotate(const View& x, const View& q, const View& y) {
    clock_.time(Stage::kRotate, [&] {
      if (x.rows > 1) return multiply(x, q, {}, y);
      dense::row_product_fma(
          {.w = q, .value = x.row<float>(), .count = static_cast<int>(q.rows), .y = y.row<float>()});
    });
  }

  /// Writes to columns [first, first + k) of the scratch.
  Selection select(const View& x, int permille, int first) {
    const larosa::Topk::Problem problem{static_cast<int>(x.rows), static_cast<int>(x.cols), permille};
    const int k = larosa::kept(problem.n, permille);
    const Selection selection{index_.view().rows_from(0, x.rows).columns(first, k),
                              value_.view().rows_from(0, x.rows).columns(first, k)};
    clock_.time(Stage::kSelect, [&] {
      best_variant<larosa::Topk>(problem).run(problem, {x, selection.index, selection.value});
    });
    return selection;
  }

  void scatter(const Selection& selection, const View& y) {
    const larosa::Scatter::Problem problem{static_cast<int>(y.rows), static_cast<int>(y.cols), 0};
    clock_.time(Stage::kScatter, [&] {
      best_variant<larosa::Scatter>(problem).run(problem, {selection.index, selection.value, y});
    });
  }

  void sparse_product(const Selection& s, const View& w, const View& bias, const View& y, bool accumulate) {
    const larosa::SparseGemv::Problem problem{static_cast<int>(w.rows), static_cast<int>(w.cols), 0, w.dtype};
    best_variant<larosa::SparseGemv>(problem).run(problem, {s.index, s.value, w, bias, y, accumulate});
  }

  LarosaOptions options_;
  std::vector<Buffer> q_, q_transposed_;
  Buffer rotated_, restored_;  // [max_rows][hidden]
  Buffer index_, value_;       // [max_rows][hidden + intermediate]
};

}  // namespace

void validate(const LarosaOptions& options) {
  for (const auto& [name, permille] : {std::pair{"q, k, v and fc1", options.in_permille()},
                                       std::pair{"dense and fc2", options.out_permille()}}) {
    if (permille < 0 || permille >= 1000) {
      usage_error("--larosa-sparsity {:.3f} gives {:.3f} for the inputs of {}, which is not within [0, 1): choose a "
                  "lower one",
                  options.sparsity_permille / 1000.0, permille / 1000.0, name);
    }
  }
}

void absorb(std::span<const View> rotations, Weights& weights, const Progress& progress) {
  constexpr std::int64_t kPanel = 1024;
  const std::int64_t hidden = weights.config.hidden;
  Buffer panel(Dtype::kF32, hidden, kPanel), product(Dtype::kF32, hidden, kPanel);
  for (std::size_t l = 0; l < weights.layers.size(); ++l) {
    const Buffer q_transposed = transposed(rotations[l]);
    const View& w = weights.layers[l].qkvh;
    for (std::int64_t first = 0; first < w.cols; first += kPanel) {
      const View part = w.columns(first, std::min(kPanel, w.cols - first));
      const auto width = static_cast<std::size_t>(part.cols);
      const View in = panel.view().columns(0, part.cols), out = product.view().columns(0, part.cols);
      for (std::int64_t r = 0; r < hidden; ++r) convert(part.byte_row(r), w.dtype, in.row<float>(r), Dtype::kF32, width);
      multiply(q_transposed.view(), in, {}, out);
      for (std::int64_t r = 0; r < hidden; ++r) convert(out.row<float>(r), Dtype::kF32, part.byte_row(r), w.dtype, width);
    }
    if (progress) progress("rotating weights", static_cast<double>(l + 1) / static_cast<double>(weights.layers.size()));
  }
}

std::unique_ptr<Projection> make_larosa_projection(const Weights& weights, std::span<const View> rotations,
                                                   const LarosaOptions& options, int max_rows, StageClock& clock) {
  validate(options);
  return std::make_unique<LarosaProjection>(weights, rotations, options, max_rows, clock);
}

std::size_t rotation_bytes(const Weights& weights, const LarosaOptions& options) {
  const auto n = static_cast<std::size_t>(weights.config.hidden);
  return (options.mode == LarosaMode::kNaive ? 2 : 1) * weights.layers.size() * n * n * size_of(weights.dtype);
}

}  // namespace trisect::phi2
