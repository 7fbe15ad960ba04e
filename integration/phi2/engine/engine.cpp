#include "integration/phi2/engine/engine.hpp"

#include "kernels/core/error.hpp"
#include "kernels/dense/attention.hpp"
#include "kernels/dense/gemm.hpp"
#include "kernels/dense/gemv.hpp"
#include "kernels/larosa/sparse_gemv.hpp"
#include "kernels/larosa/topk.hpp"

namespace trisect::phi2 {

Engine::Engine(Weights weights, const EngineOptions& options, const Rotations* rotations, const Progress& progress)
    : weights_(std::move(weights)), larosa_(options.larosa) {
  const Config& config = weights_.config;
  context_ = options.context == 0 ? config.positions : options.context;
  if (context_ < 1 || context_ > config.positions) {
    usage_error("--context {}: the model has {} positions", options.context, config.positions);
  }
  const int max_rows = std::min(options.max_rows, context_ * options.slots);
  if (larosa_) {
    if (rotations == nullptr) usage_error("LaRoSA needs rotations: calibrate them or name a file");
    validate(*larosa_);
    if (larosa_->mode == LarosaMode::kOnline) absorb(rotations->layers, weights_, progress);
    projection_ = make_larosa_projection(weights_, rotations->layers, *larosa_, max_rows, clock_);
  } else {
    projection_ = make_dense_projection(weights_, max_rows, clock_);
  }
  cache_ = vattention::make_kv_cache(options.kv_cache, kv_options(config, weights_.dtype, options.slots, context_));
  forward_ = std::make_unique<Forward>(config, *projection_, max_rows, clock_);
}

MemoryUse Engine::memory() const {
  return {.weights = weights_.bytes(),
          .rotations = larosa_ ? rotation_bytes(weights_, *larosa_) : 0,
          .scratch = projection_->scratch_bytes() + forward_->scratch_bytes(),
          .kv = cache_->usage()};
}

double Engine::decode_bytes() const {
  const Config& config = weights_.config;
  const double element = static_cast<double>(size_of(weights_.dtype));
  const double hidden = config.hidden, width = config.hidden + config.intermediate;
  double in_rows = hidden, out_rows = width, rotations = 0;
  if (larosa_) {
    rotations = static_cast<double>(rotation_bytes(weights_, *larosa_));
    if (larosa_->mode == LarosaMode::kOnline) {
      in_rows = larosa::kept(config.hidden, larosa_->in_permille());
      out_rows = larosa::kept(config.hidden, larosa_->out_permille()) +
                 larosa::kept(config.intermediate, larosa_->out_permille());
    }
  }
  const double layer = in_rows * (3 * hidden + config.intermediate) + out_rows * hidden;
  return rotations + element * (config.layers * layer + hidden * config.vocab);
}

std::map<std::string, std::string> Engine::variants() const {
  const Config& c = weights_.config;
  const Dtype dtype = weights_.dtype;
  std::map<std::string, std::string> names;
  const auto add = [&]<class Op>(const typename Op::Problem& problem) {
    names[std::string(Op::name)] = best_variant<Op>(problem).name;
  };
  add.operator()<dense::Gemv>({c.hidden, c.vocab, dtype});
  add.operator()<dense::Gemm>({max_rows(), c.hidden, 3 * c.hidden + c.intermediate, dtype});
  add.operator()<dense::Attention>({1, 1, context_, c.heads, c.head_dim, dtype});
  if (larosa_) {
    add.operator()<larosa::Topk>({1, c.hidden, larosa_->in_permille()});
    add.operator()<larosa::SparseGemv>({c.hidden, 3 * c.hidden + c.intermediate, larosa_->in_permille(), dtype});
  }
  return names;
}

}  // namespace trisect::phi2
