#include "integration/phi2/engine/engine.hpp"

#include "integration/phi2/engine/dense_projection.hpp"
#include "kernels/core/error.hpp"
#include "kernels/dense/attention.hpp"
#include "kernels/dense/gemm.hpp"
#include "kernels/dense/gemv.hpp"
#include "kernels/dense/sample.hpp"
#include "kernels/larosa/sparse_gemv.hpp"
#include "kernels/larosa/topk.hpp"
#include "kernels/vattention/decode_attention.hpp"

namespace trisect::phi2 {

Engine::Engine(Weights weights, const EngineOptions& options, const RotationSource* rotations,
               const Progress& progress)
    : larosa_(options.larosa) {
  const Config config = weights.config;
  context_ = options.context == 0 ? config.positions : options.context;
  if (context_ < 1 || context_ > config.positions) {
    usage_error("--context {}: the model has {} positions", options.context, config.positions);
  }
  const int max_rows = std::min(options.max_rows, context_ * options.slots);
  if (larosa_) {
    if (rotations == nullptr) usage_error("LaRoSA needs rotations: calibrate them or name a file");
    if (rotations->info().kind != larosa_->rotation) {
      usage_error("the rotations are of kind {}, not {}", name_of(rotations->info().kind),
                  name_of(larosa_->rotation));
    }
    validate(*larosa_);
    larosa_weights_ = move_weights(transform(std::move(weights), *rotations, larosa_->mode, progress),
                                   options.device, progress);
    const bool skips_rows = larosa_->mode != LarosaMode::kNaive;
    lay_in_panels(larosa_weights_.weights, /*only_head=*/skips_rows);
    projection_ = make_larosa_projection(larosa_weights_, *larosa_, max_rows, clock_);
  } else {
    larosa_weights_.weights = move_weights(std::move(weights), options.device, progress);
    lay_in_panels(larosa_weights_.weights, /*only_head=*/false);
    projection_ = make_dense_projection(larosa_weights_.weights, max_rows, clock_);
  }
  vattention::KvOptions kv =
      kv_options(config, larosa_weights_.weights.dtype, options.slots, context_, options.device);
  // What is committed whole from the start loses nothing by large pages, and is read faster.
  const bool is_whole = options.kv_cache == vattention::KvPolicy::kStatic && options.device == Device::kCpu;
  if (is_whole && vattention::has_huge_pages()) kv.granule = vattention::Granule::kHuge;
  cache_ = vattention::make_kv_cache(options.kv_cache, kv);
  forward_ = std::make_unique<Forward>(this->config(), *projection_, max_rows, clock_, options.device,
                                       options.cuda_graphs);
}

void Engine::set_larosa(const LarosaOptions& options) {
  if (!larosa_ || larosa_->mode != options.mode || larosa_->rotation != options.rotation) {
    usage_error("the engine was made for another mode or rotation of LaRoSA");
  }
  validate(options);
  const bool same =
      larosa_->in_permille() == options.in_permille() && larosa_->out_permille() == options.out_permille();
  if (!same) forward_->projection_changed();
  *larosa_ = options;
}

MemoryUse Engine::memory() const {
  return {.weights = weights().bytes(),
          .rotations = larosa_weights_.matrix_bytes(),
          .scratch = projection_->scratch_bytes() + forward_->scratch_bytes(),
          .kv = cache_->usage()};
}

double Engine::decode_bytes() const {
  const Config& config = this->config();
  const double element = static_cast<double>(size_of(weights().dtype));
  const double hidden = config.hidden;
  const double layer = hidden * (3 * hidden + config.intermediate) + (hidden + config.intermediate) * hidden;
  const bool skips = larosa_ && larosa_->mode != LarosaMode::kNaive;
  const double kept = skips ? 1 - weight_sparsity(config, *larosa_) : 1;
  // A matrix that layers share is read by each of them.
  const auto reads = [&](const std::vector<Tensor>& matrices) {
    return static_cast<double>(matrices.size() == 1 ? static_cast<std::size_t>(config.layers)
                                                    : matrices.size());
  };
  const double matrices = reads(larosa_weights_.rotation) + reads(larosa_weights_.rotation_back) +
                          static_cast<double>(larosa_weights_.adapter.size());
  return element * (config.layers * layer * kept + matrices * hidden * hidden + hidden * config.vocab);
}

std::map<std::string, std::string> Engine::variants() const {
  const Config& c = config();
  const Dtype dtype = weights().dtype;
  std::map<std::string, std::string> names;
  const auto add = [&]<class Op>(const typename Op::Problem& problem) {
    names[std::string(Op::name)] = best_variant<Op>(problem, weights().device).name;
  };
  add.operator()<dense::Sample>({1, c.vocab, 0, 1000});
  add.operator()<dense::Gemv>({c.hidden, c.vocab, dtype});
  add.operator()<dense::Gemm>({max_rows(), c.hidden, 3 * c.hidden + c.intermediate, dtype});
  if (weights().head.in_panels) names[std::string(dense::Gemv::name)] = "cpu_panels";
  if (weights().layers.front().qkvh.in_panels) names[std::string(dense::Gemm::name)] = "onednn_panels";
  add.operator()<dense::Attention>({1, 1, context_, c.heads, c.head_dim, dtype});
  if (weights().device != Device::kCpu)
    add.operator()<vattention::DecodeAttention>({1, context_, 1, c.heads, c.head_dim, dtype});
  if (larosa_) {
    add.operator()<larosa::Topk>({1, c.hidden, larosa_->in_permille()});
    add.operator()<larosa::SparseGemv>(
        {c.hidden, 3 * c.hidden + c.intermediate, larosa_->in_permille(), dtype});
  }
  return names;
}

}  // namespace trisect::phi2
