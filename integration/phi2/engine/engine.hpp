// A model ready to run: weights, the projection and cache that were chosen, and the forward pass over them.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "integration/phi2/engine/forward.hpp"
#include "integration/phi2/engine/larosa_projection.hpp"
#include "integration/phi2/model/rotations.hpp"

namespace trisect::phi2 {

struct EngineOptions {
  int context = 0;     ///< tokens that a sequence may have; 0 means the model's positions
  int slots = 1;       ///< sequences at a time
  int max_rows = 512;  ///< tokens a prefill step takes
  std::optional<LarosaOptions> larosa{};
  vattention::KvPolicy kv_cache = vattention::KvPolicy::kStatic;
};

/// Resident bytes, by what they are for.
struct MemoryUse {
  std::size_t weights = 0, rotations = 0, scratch = 0;
  vattention::KvUsage kv;
};

class Engine {
 public:
  /// Takes the weights over. With LaRoSA `rotations` (f32) are needed during construction only; online mode rotates the
  /// weights in place, which `progress` shows. KV is kept in the weights' type.
  /// Throws Error(kUsage) for a context beyond the model's positions or an impossible sparsity.
  Engine(Weights weights, const EngineOptions& options, const Rotations* rotations = nullptr,
         const Progress& progress = {});

  /// See Forward::step().
  void step(const Rows& rows, const View& logits) { step(rows, *cache_, logits); }
  /// With another cache than the engine's own, of kv_options() for its model and type.
  void step(const Rows& rows, vattention::KvCache& cache, const View& logits) { forward_->step(rows, cache, logits); }

  const Weights& weights() const { return weights_; }
  const Config& config() const { return weights_.config; }
  vattention::KvCache& cache() { return *cache_; }
  int context() const { return context_; }
  int max_rows() const { return forward_->max_rows(); }
  const StageClock& clock() const { return clock_; }

  MemoryUse memory() const;

  /// Bytes of weights and rotations that a decode step of one token reads.
  double decode_bytes() const;

  /// The kernels that run: {"dense/gemv": "cpu_bf16", ...}.
  std::map<std::string, std::string> variants() const;

 private:
  Weights weights_;
  std::optional<LarosaOptions> larosa_;
  int context_;
  StageClock clock_;
  std::unique_ptr<Projection> projection_;
  std::unique_ptr<vattention::KvCache> cache_;
  std::unique_ptr<Forward> forward_;
};

}  // namespace trisect::phi2
