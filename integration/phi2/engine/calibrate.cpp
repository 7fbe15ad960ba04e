#include "integration/phi2/engine/calibrate.hpp"

#include <algorithm>
#include <numeric>

#include "integration/phi2/engine/calibration_state.hpp"
#include "integration/phi2/engine/dense_projection.hpp"
#include "integration/phi2/engine/forward.hpp"
#include "integration/phi2/model/content_hash.hpp"
#include "kernels/core/error.hpp"
#include "kernels/core/interrupt.hpp"

namespace trisect::phi2 {
namespace {

/// Layers are run one after the other, so one layer's keys and values are enough.
vattention::KvOptions one_layer(const Weights& weights) {
  vattention::KvOptions options = kv_options(weights.config, weights.dtype, 1, weights.config.positions);
  options.shape.layers = 1;
  return options;
}

/// The dense projection, which also adds up the moments of what enters a layer's products.
class Observer : public DenseProjection {
 public:
  Observer(const Weights& weights, const RotationInfo& wanted, int max_rows, StageClock& clock)
      : DenseProjection(weights, max_rows, clock),
        wanted_(wanted),
        ones_(Dtype::kF32, 1, weights.config.hidden),
        zeros_(Dtype::kF32, 1, weights.config.hidden) {
    std::fill_n(ones_.as<float>(), weights.config.hidden, 1.0f);
  }

  void begin_layer() {
    const auto zero = [](int n) { return Moments::Zero(n, n).eval(); };
    if (wanted_.kind != RotationKind::kNone) inputs_ = zero(weights_.config.hidden);
    const std::size_t heads = wanted_.values ? static_cast<std::size_t>(weights_.config.heads) : 0;
    values_.assign(heads, zero(weights_.config.head_dim));
  }

  void in(int index, const View& x, const View& qkvh) override {
    const LayerWeights& w = layer(index);
    if (inputs_.size() > 0 && wanted_.space == kCentredSpace) {
      add_moments(normalize(x, ones_.view(), zeros_.view()), inputs_);
    }
    const View normed = normalize(x, w.norm_gain, w.norm_bias);
    if (inputs_.size() > 0 && wanted_.space == kLayernormSpace) add_moments(normed, inputs_);
    multiply(normed, w.qkvh, w.qkvh_bias, qkvh);
  }

  void out(int index, const View& attention_h, const View& x) override {
    const int width = weights_.config.head_dim;
    for (std::size_t h = 0; h < values_.size(); ++h) {
      add_moments(attention_h.columns(static_cast<std::int64_t>(h) * width, width), values_[h]);
    }
    DenseProjection::out(index, attention_h, x);
  }

  Moments& inputs() { return inputs_; }
  const std::vector<Moments>& values() const { return values_; }

 private:
  const RotationInfo& wanted_;
  Buffer ones_, zeros_;
  Moments inputs_;
  std::vector<Moments> values_;  // by head
};

class Calibration {
 public:
  Calibration(const Weights& weights, std::span<const std::int32_t> ids, const RotationInfo& wanted,
              const Progress& progress, const std::filesystem::path& state)
      : config_(weights.config),
        ids_(ids),
        progress_(progress),
        rows_(std::min(kBlock, config_.positions)),
        observer_(weights, wanted, rows_, clock_),
        cache_(vattention::make_kv_cache(vattention::KvPolicy::kLazy, one_layer(weights))),
        forward_(config_, observer_, rows_, clock_),
        slots_(static_cast<std::size_t>(rows_), cache_->acquire(config_.positions)),
        positions_(static_cast<std::size_t>(rows_)),
        residual_(Dtype::kF32, static_cast<std::int64_t>(ids.size()), config_.hidden),
        rotations_(wanted),
        state_(state, identity(weights, ids, wanted)) {
    rotations_.info().model_hash = weights.hash;
    rotations_.info().text_tokens = static_cast<std::int64_t>(ids.size());
    if (wanted.kind == RotationKind::kGlobal) sum_ = Moments::Zero(config_.hidden, config_.hidden);
  }

  Rotations run() {
    int layer = state_.load(residual_.view(), sum_, rotations_);
    if (layer == 0) {
      each_block([&](const Rows& rows, const View& x) { observer_.embed(rows, x); });
    }
    for (; layer < config_.layers; ++layer) {
      observer_.begin_layer();
      std::int64_t seen = 0;
      each_block([&](const Rows& rows, const View& x) {
        forward_.layer(layer, rows, cache_->layer(0), x);
        seen += rows.count();
        report(layer, static_cast<double>(seen) / static_cast<double>(ids_.size()));
      });
      finish_layer();
      state_.save(layer, residual_.view(), sum_, rotations_);
    }
    if (sum_.size() > 0) add_directions(std::move(sum_), rotations_.rotation_matrices);
    return std::move(rotations_);
  }

 private:
  static constexpr int kBlock = 512;

  static std::string identity(const Weights& weights, std::span<const std::int32_t> ids,
                              const RotationInfo& wanted) {
    return fmt::format("model {} in {}, {} tokens {}, kind {}, space {}, damping {}{}", weights.hash,
                       name_of(weights.dtype), ids.size(),
                       hash_name(hash_bytes(ids.data(), ids.size_bytes())), name_of(wanted.kind),
                       wanted.space, wanted.damping, wanted.values ? ", values" : "");
  }

  template <class Work>
  void each_block(Work work) {
    const auto window = static_cast<std::size_t>(config_.positions);
    for (std::size_t at = 0; at < ids_.size();) {
      const std::size_t start = at % window;
      const std::size_t count = std::min({static_cast<std::size_t>(rows_), ids_.size() - at, window - start});
      std::iota(positions_.begin(), positions_.end(), static_cast<std::int32_t>(start));
      const Rows rows{ids_.subspan(at, count), std::span(slots_).first(count),
                      std::span(positions_).first(count)};
      cache_->prepare(rows.slot, rows.position);
      work(rows, residual_.view().rows_from(static_cast<std::int64_t>(at), static_cast<std::int64_t>(count)));
      at += count;
      stop_if_interrupted();
    }
  }

  void finish_layer() {
    if (rotations_.per_layer()) {
      add_directions(std::move(observer_.inputs()), rotations_.rotation_matrices);
    } else if (sum_.size() > 0) {
      sum_ += observer_.inputs() / observer_.inputs().trace();
    }
    if (rotations_.info().values) {
      Buffer& all = rotations_.value_matrices.emplace_back(Dtype::kF32, config_.hidden, config_.head_dim);
      for (std::size_t h = 0; h < observer_.values().size(); ++h) {
        principal_directions(
            observer_.values()[h], rotations_.info().damping,
            all.view().rows_from(static_cast<std::int64_t>(h) * config_.head_dim, config_.head_dim));
      }
    }
    stop_if_interrupted();
  }

  void add_directions(Moments moments, std::vector<Buffer>& to) {
    Buffer q(Dtype::kF32, config_.hidden, config_.hidden);
    principal_directions(std::move(moments), rotations_.info().damping, q.view());
    to.push_back(std::move(q));
  }

  void report(int layer, double share) {
    if (progress_) progress_("calibrating", (layer + share) / config_.layers);
  }

  void stop_if_interrupted() const {
    if (!interrupted()) return;
    throw Error(ExitCode::kInterrupted, state_.keeps()
                                            ? "calibration was interrupted: the same command goes on with it"
                                            : "calibration was interrupted; nothing was written");
  }

  const Config& config_;
  std::span<const std::int32_t> ids_;
  const Progress& progress_;
  int rows_;
  StageClock clock_;
  Observer observer_;
  std::unique_ptr<vattention::KvCache> cache_;
  Forward forward_;
  std::vector<std::int32_t> slots_, positions_;
  Buffer residual_;  // [tokens][hidden], as it enters the next layer
  Rotations rotations_;
  Moments sum_;  // over layers, for kind global
  CalibrationState state_;
};

}  // namespace

Rotations calibrate(const Weights& weights, std::span<const std::int32_t> ids, const RotationInfo& wanted,
                    const Progress& progress, const std::filesystem::path& state) {
  if (static_cast<int>(ids.size()) < weights.config.hidden) {
    usage_error("the calibration text has {} tokens; the model's {} dimensions need at least as many",
                ids.size(), weights.config.hidden);
  }
  return Calibration(weights, ids, wanted, progress, state).run();
}

}  // namespace trisect::phi2
