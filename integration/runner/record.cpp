#include "integration/runner/record.hpp"

#include <cmath>
#include <fstream>

#include "integration/phi2/model/patch_weights.hpp"
#include "kernels/core/environment_json.hpp"
#include "kernels/core/threads.hpp"

namespace trisect::runner {
namespace {

std::vector<std::string> command_line() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  std::vector<std::string> arguments;
  for (std::string argument; std::getline(file, argument, '\0');) arguments.push_back(argument);
  return arguments;
}

/// 0.8 for the float nearest to it.
double as_typed(float value) { return std::stod(fmt::format("{}", value)); }

}  // namespace

Json record_header(const char* schema, const std::string& started_utc, bool interrupted, int version) {
  return {{"schema", schema},          {"schema_version", version},
          {"command", command_line()}, {"started_utc", started_utc},
          {"finished_utc", utc_now()}, {"interrupted", interrupted},
          {"build", to_json(build())}, {"environment", to_json(read_environment())}};
}

Json model_json(const phi2::ModelSource& source, const std::string& hash) {
  const phi2::Config& config = source.config;
  return {{"name", source.name},
          {"path", source.directory.string()},
          {"hash", hash},
          {"parameters", config.parameters()},
          {"layers", config.layers},
          {"hidden", config.hidden},
          {"heads", config.heads},
          {"intermediate", config.intermediate},
          {"vocab", config.vocab}};
}

Json settings_json(const ModelOptions& model, const SamplingOptions& sampling) {
  return {{"dtype", model.dtype},
          {"device", model.device},
          {"cuda_graph", model.device == "cuda" ? Json(model.cuda_graph == "on") : Json()},
          {"threads", thread_count()},
          {"max_new_tokens", sampling.max_new_tokens},
          {"temperature", as_typed(sampling.params.temperature)},
          {"top_p", as_typed(sampling.params.top_p)},
          {"seed", sampling.params.seed}};
}

Json larosa_json(const std::optional<phi2::LarosaOptions>& larosa, const std::string& rotation,
                 const phi2::Config& config) {
  if (!larosa) return {};
  return {{"mode", name_of(larosa->mode)},
          {"sparsity_permille", larosa->sparsity_permille},
          {"coefficient_in", larosa->coefficients.in_permille / 1000.0},
          {"coefficient_out", larosa->coefficients.out_permille / 1000.0},
          {"weight_sparsity", phi2::weight_sparsity(config, *larosa)},
          {"prefill", larosa->prefill},
          {"values", larosa->values},
          {"rotation_kind", phi2::name_of(larosa->rotation)},
          {"rotation", rotation}};
}

Json patch_json(const Model& model) {
  if (!model.patch) return {};
  const phi2::PatchVocabulary& patch = *model.patch;
  return {{"hash", phi2::hash_of(patch)},
          {"added", patch.added.size()},
          {"removed", patch.removed.size()},
          {"tokens", patch.size()},
          {"encoding", adaptivocab::name_of(patch.mode)},
          {"weights", model.adapted ? "stored" : "patched"},
          {"init", phi2::name_of(patch.init)},
          {"init_base", patch.init_base}};
}

Json memory_json(const phi2::Engine& engine, const std::optional<vattention::KvUsage>& of_generation) {
  const phi2::MemoryUse use = engine.memory();
  const vattention::KvUsage kv = of_generation.value_or(use.kv);
  return {{"peak_rss_bytes", peak_rss_bytes()}, {"weights_bytes", use.weights},
          {"rotations_bytes", use.rotations},   {"kv_bytes", kv.committed},
          {"kv_reserved_bytes", kv.reserved},   {"kv_used_bytes", kv.used},
          {"scratch_bytes", use.scratch}};
}

Json stages_json(const StageSeconds& seconds) {
  Json stages = Json::object();
  for (std::size_t i = 0; i < seconds.size(); ++i) stages[phi2::kStageNames[i]] = seconds[i];
  return stages;
}

Json number_json(double value) { return std::isfinite(value) ? Json(value) : Json(); }

}  // namespace trisect::runner
