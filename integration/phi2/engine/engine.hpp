// A model ready to run: weights, the projection and cache that were chosen, and the forward pass over them.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "integration/phi2/engine/forward.hpp"
#include "integration/phi2/engine/larosa_projection.hpp"

namespace trisect::phi2 {

struct EngineOptions {
  int context = 0;     ///< tokens that a sequence may have; 0 means the model's positions
  int slots = 1;       ///< sequences at a time
  int max_rows = 512;  ///< tokens a prefill step takes
  std::optional<LarosaOptions> larosa{};
  vattention::KvPolicy kv_cache = vattention::KvPolicy::kStatic;
  Device device = Device::kCpu;  ///< that computes
  bool cuda_graphs = true;       ///< on CUDA: decode steps are recorded once and replayed
};

/// Resident bytes, by what they are for.
struct MemoryUse {
  std::size_t weights = 0, rotations = 0, scratch = 0;
  vattention::KvUsage kv;
};

class Engine {
 public:
  /// Takes the weights over, from the host, and brings them to the options' device. With LaRoSA `rotations`
  /// are needed during construction only, when the weights are transformed for its mode (see transform()),
  /// which `progress` shows. KV is kept in the weights' type. Throws Error(kUsage) for a context beyond the
  /// model's positions, an impossible sparsity, and rotations of another kind or space than the options'.
  Engine(Weights weights, const EngineOptions& options, const RotationSource* rotations = nullptr,
         const Progress& progress = {});
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// See Forward::step().
  void step(const Rows& rows, const View& logits) { step(rows, *cache_, logits); }
  /// With another cache than the engine's own, of kv_options() for its model and type.
  void step(const Rows& rows, vattention::KvCache& cache, const View& logits) {
    forward_->step(rows, cache, logits);
  }
  /// Chooses ids instead of giving logits.
  void step(const Rows& rows, const Choice& choice, std::span<std::int32_t> ids) {
    step(rows, *cache_, choice, ids);
  }
  void step(const Rows& rows, vattention::KvCache& cache, const Choice& choice, std::span<std::int32_t> ids) {
    forward_->step(rows, cache, choice, ids);
  }

  /// As they run: with LaRoSA's merged mode not those that were loaded.
  const Weights& weights() const { return larosa_weights_.weights; }
  const Config& config() const { return weights().config; }
  const std::optional<LarosaOptions>& larosa() const { return larosa_; }

  /// How much LaRoSA drops from the next step on, and whether prefill is sparse. Throws Error(kUsage) when
  /// the engine was made without LaRoSA, for another mode or rotation, and for an impossible sparsity.
  void set_larosa(const LarosaOptions& options);

  vattention::KvCache& cache() { return *cache_; }
  int context() const { return context_; }
  int max_rows() const { return forward_->max_rows(); }
  /// On CUDA the host's time, which is that of queueing; replayed steps are not in it.
  const StageClock& clock() const { return clock_; }
  /// Decode steps that were recorded: one for each number of rows and way to choose.
  int graph_captures() const { return forward_->graph_captures(); }

  MemoryUse memory() const;

  /// Bytes of weights and rotations that a decode step of one token reads.
  double decode_bytes() const;

  /// The kernels that run: {"dense/gemv": "cpu_bf16", ...}.
  std::map<std::string, std::string> variants() const;

 private:
  LarosaWeights larosa_weights_;  // without LaRoSA the weights alone
  std::optional<LarosaOptions> larosa_;
  int context_;
  StageClock clock_;
  std::unique_ptr<Projection> projection_;
  std::unique_ptr<vattention::KvCache> cache_;
  std::unique_ptr<Forward> forward_;
};

}  // namespace trisect::phi2
