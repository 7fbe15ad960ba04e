// The parts of the runner's JSON files that several subcommands write.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "integration/runner/measured.hpp"
#include "integration/runner/model.hpp"

namespace trisect::runner {

using Json = nlohmann::ordered_json;

/// What every file begins with: schema, command line, times, build, environment. Call it after pin_threads().
Json record_header(const char* schema, const std::string& started_utc, bool interrupted, int version = 1);

Json model_json(const phi2::ModelSource& source, const std::string& hash);

/// Settings that generate and compare share.
Json settings_json(const ModelOptions& model, const SamplingOptions& sampling);

/// Null without LaRoSA.
Json larosa_json(const std::optional<phi2::LarosaOptions>& larosa, const std::string& rotation,
                 const phi2::Config& config);

/// Null for a base tokenizer's vocabulary.
Json patch_json(const Model& model);

/// Of an engine and its process; the peak is that of this moment. The KV cache's is `kv`, or that of now.
Json memory_json(const phi2::Engine& engine, const std::optional<vattention::KvUsage>& kv = {});

Json stages_json(const StageSeconds& seconds);

/// Null for what JSON has no number for.
Json number_json(double value);

}  // namespace trisect::runner
