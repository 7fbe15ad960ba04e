#include "integration/phi2/engine/larosa_weights.hpp"

#include <algorithm>
#include <numeric>

#include "integration/phi2/engine/dense_projection.hpp"
#include "integration/phi2/engine/panels.hpp"
#include "kernels/core/error.hpp"

namespace trisect::phi2 {
namespace {

/// R of each head, applied to what attention mixes: v is multiplied by R, and dense's rows by R^T.
class ValueRotation {
 public:
  ValueRotation(const RotationSource& rotations, const Config& config, int layer) : config_(config) {
    if (!rotations.info().values) return;
    matrices_ = rotations.values(layer);
    product_ = Buffer(Dtype::kF32, std::max<std::int64_t>(config.hidden, kPanel), config.hidden);
  }
  explicit operator bool() const { return matrices_.bytes() > 0; }

  /// Of a panel of q|k|v|fc1 that begins at column `first`; the bias is that of all columns.
  void rotate_columns(const View& panel, std::int64_t first, const View& bias) const {
    if (!*this) return;
    const std::int64_t hidden = config_.hidden, width = config_.head_dim;
    for (std::int64_t c = std::max(first, 2 * hidden); c < std::min(first + panel.cols, 3 * hidden);
         c += width) {
      const View r = matrices_.view().rows_from(c - 2 * hidden, width);
      replace(panel.columns(c - first, width), r);
      replace(bias.columns(c, width), r);
    }
  }

  /// Of a panel of dense|fc2 that begins at row `first`.
  void rotate_rows(const View& panel, std::int64_t first) const {
    if (!*this) return;
    const std::int64_t width = config_.head_dim;
    for (std::int64_t r = first; r < std::min<std::int64_t>(first + panel.rows, config_.hidden); r += width) {
      const Buffer back = transposed(matrices_.view().rows_from(r, width));
      const View block = panel.rows_from(r - first, width);
      const View product = View::of(product_.as<float>(), width, block.cols);
      multiply(back.view(), block, {}, product);
      copy(product, block);
    }
  }

 private:
  void replace(const View& block, const View& r) const {
    const View product = View::of(product_.as<float>(), block.rows, block.cols);
    multiply(block, r, {}, product);
    copy(product, block);
  }

  const Config& config_;
  Buffer matrices_, product_;
};

void subtract_means(const View& rows) {
#pragma omp parallel for schedule(static)
  for (std::int64_t r = 0; r < rows.rows; ++r) {
    float* row = rows.row<float>(r);
    const float mean =
        static_cast<float>(std::accumulate(row, row + rows.cols, 0.0) / static_cast<double>(rows.cols));
    for (std::int64_t c = 0; c < rows.cols; ++c) row[c] -= mean;
  }
}

void scale_rows(const View& rows, const View& factors) {
#pragma omp parallel for schedule(static)
  for (std::int64_t r = 0; r < rows.rows; ++r) {
    const float factor = factors.row<float>()[r];
    for (std::int64_t c = 0; c < rows.cols; ++c) rows.row<float>(r)[c] *= factor;
  }
}

void set_neutral(const View& gain, const View& bias) {
  std::fill_n(gain.row<float>(), gain.cols, 1.0f);
  std::fill_n(bias.row<float>(), bias.cols, 0.0f);
}

void require_space(const RotationSource& rotations, std::string_view space, std::string_view modes) {
  if (rotations.rotates() && rotations.info().space != space) {
    usage_error("the rotations are for the space {}, but {} rotate {}: calibrate for that mode",
                rotations.info().space, modes, space);
  }
}

void report(const Progress& progress, const char* what, int done, int all) {
  if (progress) progress(what, static_cast<double>(done) / static_cast<double>(all));
}

/// q|k|v|fc1 of a layer: its LayerNorm folded in if `fold`, values rotated, Q^T from the left where there is
/// one.
void transform_in(const LayerWeights& layer, const ValueRotation& values, const View& q_transposed, bool fold,
                  int unit) {
  edit_columns(layer.qkvh, unit, q_transposed, [&](const View& panel, std::int64_t first) {
    if (fold) {
      multiply(layer.norm_bias, panel, {}, layer.qkvh_bias.columns(first, panel.cols), /*accumulate=*/true);
      scale_rows(panel, layer.norm_gain);
    }
    values.rotate_columns(panel, first, layer.qkvh_bias);
  });
  if (fold) set_neutral(layer.norm_gain, layer.norm_bias);
}

LarosaWeights naive_or_online(Weights from, const RotationSource& rotations, bool naive,
                              const Progress& progress) {
  require_space(rotations, kLayernormSpace, "naive and online");
  LarosaWeights result{std::move(from), {}, {}, {}};
  const Weights& weights = result.weights;
  const Config& config = weights.config;
  Buffer q, q_transposed;
  for (int l = 0; l < config.layers; ++l) {
    const LayerWeights& layer = weights.layers[static_cast<std::size_t>(l)];
    if (rotations.rotates() && (l == 0 || rotations.per_layer())) {
      q = rotations.rotation(l);
      q_transposed = transposed(q.view());
      result.rotation.push_back(converted(q.view(), weights.dtype));
      if (naive) result.rotation_back.push_back(converted(q_transposed.view(), weights.dtype));
    }
    const ValueRotation values(rotations, config, l);
    if (!naive || values) {
      transform_in(layer, values, naive ? View() : q_transposed.view(), false, config.head_dim);
    }
    if (values) {
      edit_rows(layer.out.rows_from(0, config.hidden), config.head_dim, {},
                [&](const View& panel, std::int64_t first) { values.rotate_rows(panel, first); });
    }
    report(progress, "rotating weights", l + 1, config.layers);
  }
  return result;
}

}  // namespace

std::size_t LarosaWeights::matrix_bytes() const {
  std::size_t bytes = 0;
  for (const auto* matrices : {&rotation, &rotation_back, &adapter}) {
    for (const Tensor& matrix : *matrices) bytes += matrix.bytes();
  }
  return bytes;
}

LarosaWeights merge(Weights from, const RotationSource& rotations, const Progress& progress) {
  require_space(rotations, kCentredSpace, "merged");
  LarosaWeights result{std::move(from), {}, {}, {}};
  const Weights& weights = result.weights;
  const Config& config = weights.config;
  const int steps = config.layers + 2;
  const auto centre = [](const View& panel, std::int64_t) { subtract_means(panel); };

  Buffer q, next;  // of this layer and of the one after
  if (rotations.rotates()) q = rotations.rotation(0);
  edit_rows(weights.embedding, 1, q.view(), centre);
  report(progress, "merging rotations", 1, steps);

  for (int l = 0; l < config.layers; ++l) {
    const LayerWeights& layer = weights.layers[static_cast<std::size_t>(l)];
    const ValueRotation values(rotations, config, l);
    Buffer q_transposed;
    if (rotations.rotates()) q_transposed = transposed(q.view());
    transform_in(layer, values, q_transposed.view(), true, config.head_dim);

    const bool changes = rotations.per_layer() && l + 1 < config.layers;
    if (changes) next = rotations.rotation(l + 1);
    const View& q_out = changes ? next.view() : q.view();
    edit_rows(layer.out, config.head_dim, q_out, [&](const View& panel, std::int64_t first) {
      subtract_means(panel);
      values.rotate_rows(panel, first);
    });
    edit_rows(layer.out_bias, 1, q_out, centre);
    if (changes) {
      Buffer adapter(Dtype::kF32, config.hidden, config.hidden);
      multiply(q_transposed.view(), next.view(), {}, adapter.view());
      result.adapter.push_back(converted(adapter.view(), weights.dtype));
      q = std::move(next);
    }
    report(progress, "merging rotations", l + 2, steps);
  }

  Buffer q_transposed;
  if (rotations.rotates()) q_transposed = transposed(q.view());
  edit_columns(weights.head, 1, q_transposed.view(), [&](const View& panel, std::int64_t first) {
    multiply(weights.final_bias, panel, {}, weights.head_bias.columns(first, panel.cols),
             /*accumulate=*/true);
    scale_rows(panel, weights.final_gain);
  });
  set_neutral(weights.final_gain, weights.final_bias);
  report(progress, "merging rotations", steps, steps);
  return result;
}

LarosaWeights transform(Weights weights, const RotationSource& rotations, LarosaMode mode,
                        const Progress& progress) {
  if (mode == LarosaMode::kMerged) return merge(std::move(weights), rotations, progress);
  return naive_or_online(std::move(weights), rotations, mode == LarosaMode::kNaive, progress);
}

LarosaWeights move_weights(LarosaWeights weights, Device device, const Progress& progress) {
  if (device == weights.weights.device) return weights;
  for (auto* matrices : {&weights.rotation, &weights.rotation_back, &weights.adapter}) {
    for (Tensor& matrix : *matrices) {
      const View& host = matrix.view();
      Tensor moved(device, host.dtype, host.rows, host.cols);
      moved.upload(host.data, host.bytes());
      matrix = std::move(moved);
    }
  }
  weights.weights = move_weights(std::move(weights.weights), device, progress);
  return weights;
}

}  // namespace trisect::phi2
