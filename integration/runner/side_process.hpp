// A side of compare with the process that runs it.
#pragma once

#include <sched.h>

#include <optional>
#include <span>
#include <string>

#include "integration/runner/comparison.hpp"
#include "integration/runner/side_check.hpp"
#include "integration/runner/worker.hpp"

namespace trisect::runner {

/// How a side runs.
struct SideSetup {
  const Model* model = nullptr;                  ///< with the side's vocabulary
  const std::vector<Prompt>* prompts = nullptr;  ///< in its tokens
  std::string patch_tokenizer;                   ///< "" for the model's own vocabulary
  std::optional<phi2::LarosaOptions> larosa;
  std::string rotation_file;  ///< "" for random ones
  std::string rotation_name;  ///< "" for the file's
  std::string kv_cache = "static";
};

/// What all sides share.
struct CompareSetup {
  const ModelOptions& options;
  const SamplingOptions& sampling;
  std::vector<SideSetup> sides;  ///< beside Comparison::sides
  int context = 0;
  int repetitions = 0;
  int at_once = 0;         ///< sides that are loaded beside the baseline; 0: as many as memory has room for
  cpu_set_t processors{};  ///< that a side may use
};

/// Threads of a team spin for some milliseconds after their work before they sleep: nothing must be measured
/// beside them.
void let_teams_sleep();

/// What a side is loaded for. For quality, prompts are as sparse as what follows, and the context is the
/// model's. As a reference it has the side's vocabulary and nothing else switched on, and runs the plain
/// kernels on the CPU.
enum class Purpose { kTimes, kQuality, kReference };

class SideProcess {
 public:
  SideProcess(const CompareSetup& setup, std::size_t index, const std::string& name, Purpose purpose);

  const nlohmann::json& loaded() const { return loaded_; }
  const SideSetup& how() const { return how_; }
  const phi2::Tokenizer* tokenizer() const { return how_.model->tokenizer.get(); }

  /// See worker.hpp.
  nlohmann::json generate(const Prompt& prompt, int max_new_tokens);
  CheckedLogits logits(const Prompt& prompt);
  nlohmann::json evaluate(std::span<const std::int32_t> ids);

 private:
  const CompareSetup& setup_;
  const SideSetup& how_;
  WorkerProcess process_;
  nlohmann::json loaded_;
};

}  // namespace trisect::runner
