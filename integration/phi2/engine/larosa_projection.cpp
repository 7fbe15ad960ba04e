#include "integration/phi2/engine/larosa_projection.hpp"

#include <algorithm>

#include "integration/phi2/engine/dense_projection.hpp"
#include "integration/phi2/engine/panels.hpp"
#include "kernels/dense/copy.hpp"
#include "kernels/dense/row_kernel.hpp"
#include "kernels/larosa/gelu_topk.hpp"
#include "kernels/larosa/rmsnorm.hpp"
#include "kernels/larosa/scatter.hpp"
#include "kernels/larosa/sparse_gemv.hpp"

namespace trisect::phi2 {
namespace {

/// What the modes have in common: selections, and products with what they keep.
class LarosaProjection : public DenseProjection {
 public:
  LarosaProjection(const LarosaWeights& larosa, const LarosaOptions& options, int max_rows, StageClock& clock)
      : DenseProjection(larosa.weights, max_rows, clock),
        larosa_(larosa),
        options_(options),
        rotated_(weights_.device, Dtype::kF32, max_rows, weights_.config.hidden),
        index_(weights_.device, Dtype::kI32, max_rows, weights_.config.hidden + weights_.config.intermediate),
        value_(weights_.device, Dtype::kF32, max_rows,
               weights_.config.hidden + weights_.config.intermediate) {}

  void embed(const Rows& rows, const View& x) override {
    decodes_ = rows.decodes;
    DenseProjection::embed(rows, x);
  }

  void out(int index, const View& attention_h, const View& x) override {
    if (!selects()) return DenseProjection::out(index, attention_h, x);
    if (!on_device()) gelu_h(attention_h);
    const LayerWeights& w = layer(index);
    const int hidden = weights_.config.hidden;
    const View attention = attention_h.columns(0, hidden);
    const View h = attention_h.columns(hidden, weights_.config.intermediate);
    const int permille = options_.out_permille();
    const Selection from_attention = room_for(attention, permille, 0);
    const Selection from_h = room_for(h, permille, static_cast<int>(from_attention.index.cols));
    clock_.time(Stage::kSelect, [&] {
      if (on_device()) {  // with GELU in the same launch
        choose<larosa::GeluTopk>(h, permille, from_h);
        choose<larosa::Topk>(attention, permille, from_attention);
        return;
      }
      // A single row is selected from by one thread.
#pragma omp parallel for schedule(static, 1) if (x.rows == 1)
      for (int i = 0; i < 2; ++i)
        i == 0 ? choose<larosa::Topk>(h, permille, from_h)
               : choose<larosa::Topk>(attention, permille, from_attention);
    });
    if (!skips_rows(x)) {
      scatter(from_attention, attention);
      scatter(from_h, h);
      clock_.time(Stage::kOutProduct,
                  [&] { multiply(attention_h, w.out, w.out_bias, x, true, {}, weights_.device); });
      return;
    }
    clock_.time(Stage::kOutProduct, [&] {
      if (on_device()) {  // indices are not ours to change there
        sparse_product(from_attention, w.out.rows_from(0, hidden), w.out_bias, x, true);
        sparse_product(from_h, w.out.rows_from(hidden, weights_.config.intermediate), {}, x, true);
        return;
      }
      // One product over both: fc2's rows follow dense's, in the selection as in the weights.
      for (std::int64_t r = 0; r < x.rows; ++r) {
        std::int32_t* index_of_h = from_h.index.row<std::int32_t>(r);
        std::for_each(index_of_h, index_of_h + from_h.index.cols, [&](std::int32_t& i) { i += hidden; });
      }
      const std::int64_t count = from_attention.index.cols + from_h.index.cols;
      const Selection both{index_.view().columns(0, count).rows_from(0, x.rows),
                           value_.view().columns(0, count).rows_from(0, x.rows)};
      sparse_product(both, w.out, w.out_bias, x, true);
    });
  }

  std::size_t scratch_bytes() const override {
    return DenseProjection::scratch_bytes() + rotated_.bytes() + index_.bytes() + value_.bytes();
  }

 protected:
  struct Selection {
    View index, value;  // [rows][k]
  };

  bool on_device() const { return weights_.device != Device::kCpu; }
  bool selects() const { return decodes_ || options_.prefill; }
  /// Whether rows of weights are skipped. Each row of activations keeps others: with many of them nearly
  /// every row of weights is read, and dense products are faster.
  virtual bool skips_rows(const View& x) const { return x.rows <= kFewRows; }

  /// Few rows keep their activations in f32, as in larosa/layer: what is selected must not depend on
  /// rounding.
  void rotate(const View& x, const View& q, const View& y) {
    clock_.time(Stage::kRotate, [&] {
      if (x.rows > kFewRows || on_device()) return multiply(x, q, {}, y, false, {}, weights_.device);
      dense::row_product_fma({.w = q,
                              .value = x.row<float>(),
                              .count = static_cast<int>(q.rows),
                              .y = y.row<float>(),
                              .tokens = static_cast<int>(x.rows),
                              .value_stride = x.stride,
                              .y_stride = y.stride});
    });
  }

  /// Columns [first, first + k) of the scratch.
  Selection room_for(const View& x, int permille, int first) const {
    const int k = larosa::kept(static_cast<int>(x.cols), permille);
    return {index_.view().rows_from(0, x.rows).columns(first, k),
            value_.view().rows_from(0, x.rows).columns(first, k)};
  }

  template <class Op>
  void choose(const View& x, int permille, const Selection& to) const {
    const typename Op::Problem problem{static_cast<int>(x.rows), static_cast<int>(x.cols), permille};
    best_variant<Op>(problem, weights_.device).run(problem, {x, to.index, to.value});
  }

  Selection select(const View& x, int permille) {
    const Selection selection = room_for(x, permille, 0);
    clock_.time(Stage::kSelect, [&] { choose<larosa::Topk>(x, permille, selection); });
    return selection;
  }

  void scatter(const Selection& selection, const View& y) {
    const larosa::Scatter::Problem problem{static_cast<int>(y.rows), static_cast<int>(y.cols), 0};
    clock_.time(Stage::kScatter, [&] {
      best_variant<larosa::Scatter>(problem, weights_.device)
          .run(problem, {selection.index, selection.value, y});
    });
  }

  void sparse_product(const Selection& s, const View& w, const View& bias, const View& y, bool accumulate) {
    const larosa::SparseGemv::Problem problem{static_cast<int>(w.rows), static_cast<int>(w.cols), 0, w.dtype,
                                              static_cast<int>(y.rows)};
    best_variant<larosa::SparseGemv>(problem, weights_.device)
        .run(problem, {s.index, s.value, w, bias, y, accumulate});
  }

  /// qkvh = x times q|k|v|fc1, for as many entries of x as are to be kept; x may be overwritten.
  void in_product(const LayerWeights& w, const View& x, const View& qkvh) {
    if (selects()) {
      const Selection selection = select(x, options_.in_permille());
      if (skips_rows(x)) {
        clock_.time(Stage::kInProduct, [&] { sparse_product(selection, w.qkvh, w.qkvh_bias, qkvh, false); });
        return;
      }
      scatter(selection, x);
    }
    clock_.time(Stage::kInProduct,
                [&] { multiply(x, w.qkvh, w.qkvh_bias, qkvh, false, {}, weights_.device); });
  }

  /// The matrix of a layer among `matrices`, of which there is one a layer or one for all; nothing where
  /// there is none.
  static View of_layer(const std::vector<Tensor>& matrices, int index) {
    if (matrices.empty()) return {};
    return matrices[matrices.size() == 1 ? 0 : static_cast<std::size_t>(index)].view();
  }

  View scratch_rows(const View& x) const { return rotated_.view().rows_from(0, x.rows); }

  const LarosaWeights& larosa_;
  const LarosaOptions& options_;

 private:
  static constexpr std::int64_t kFewRows = 8;

  bool decodes_ = true;
  Tensor rotated_;        // [max_rows][hidden]
  Tensor index_, value_;  // [max_rows][hidden + intermediate]
};

class Online : public LarosaProjection {
 public:
  using LarosaProjection::LarosaProjection;

  void in(int index, const View& x, const View& qkvh) override {
    const LayerWeights& w = layer(index);
    View entering = normalize(x, w.norm_gain, w.norm_bias);
    if (const View q = of_layer(larosa_.rotation, index)) {
      rotate(entering, q, scratch_rows(x));
      entering = scratch_rows(x);
    }
    in_product(w, entering, qkvh);
  }
};

class Naive : public LarosaProjection {
 public:
  Naive(const LarosaWeights& larosa, const LarosaOptions& options, int max_rows, StageClock& clock)
      : LarosaProjection(larosa, options, max_rows, clock),
        restored_(weights_.device, Dtype::kF32, max_rows, weights_.config.hidden) {}

  void in(int index, const View& x, const View& qkvh) override {
    if (!selects()) return DenseProjection::in(index, x, qkvh);
    const LayerWeights& w = layer(index);
    View entering = normalize(x, w.norm_gain, w.norm_bias);
    const View q = of_layer(larosa_.rotation, index);
    if (q) {
      rotate(entering, q, scratch_rows(x));
      entering = scratch_rows(x);
    }
    scatter(select(entering, options_.in_permille()), entering);
    if (q) {
      const View restored = restored_.view().rows_from(0, x.rows);
      rotate(entering, of_layer(larosa_.rotation_back, index), restored);
      entering = restored;
    }
    clock_.time(Stage::kInProduct,
                [&] { multiply(entering, w.qkvh, w.qkvh_bias, qkvh, false, {}, weights_.device); });
  }

  std::size_t scratch_bytes() const override { return LarosaProjection::scratch_bytes() + restored_.bytes(); }

 protected:
  bool skips_rows(const View&) const override { return false; }

 private:
  Tensor restored_;  // [max_rows][hidden]
};

class Merged : public LarosaProjection {
 public:
  using LarosaProjection::LarosaProjection;

  void in(int index, const View& x, const View& qkvh) override {
    rmsnorm(x, scratch_rows(x));
    in_product(layer(index), scratch_rows(x), qkvh);
  }

  void out(int index, const View& attention_h, const View& x) override {
    if (static_cast<std::size_t>(index) < larosa_.adapter.size()) {
      dense::Copy::Problem all{static_cast<int>(x.rows * x.cols)};
      const auto flat = [&](const View& rows) { return View(rows.data, Dtype::kF32, 1, all.n); };
      best_variant<dense::Copy>(all, weights_.device).run(all, {flat(x), flat(scratch_rows(x))});
      rotate(scratch_rows(x), larosa_.adapter[static_cast<std::size_t>(index)].view(), x);
    }
    LarosaProjection::out(index, attention_h, x);
  }

  void logits(const View& x, const View& y) override {
    rmsnorm(x, scratch_rows(x));
    clock_.time(Stage::kHead, [&] {
      multiply(scratch_rows(x), weights_.head, weights_.head_bias, y, false, {}, weights_.device);
    });
  }

 private:
  void rmsnorm(const View& x, const View& y) {
    const larosa::Rmsnorm::Problem problem{static_cast<int>(x.rows), static_cast<int>(x.cols)};
    clock_.time(Stage::kNorm, [&] {
      best_variant<larosa::Rmsnorm>(problem, weights_.device)
          .run(problem, {x, y, weights_.config.layer_norm_eps});
    });
  }
};

}  // namespace

std::unique_ptr<Projection> make_larosa_projection(const LarosaWeights& larosa, const LarosaOptions& options,
                                                   int max_rows, StageClock& clock) {
  if (options.mode == LarosaMode::kNaive) return std::make_unique<Naive>(larosa, options, max_rows, clock);
  if (options.mode == LarosaMode::kMerged) return std::make_unique<Merged>(larosa, options, max_rows, clock);
  return std::make_unique<Online>(larosa, options, max_rows, clock);
}

}  // namespace trisect::phi2
