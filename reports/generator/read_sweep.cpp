#include <algorithm>
#include <cmath>
#include <set>
#include <tuple>

#include "kernels/core/error.hpp"
#include "reports/generator/read_common.hpp"

namespace trisect::report {
namespace {

/// A perplexity is e to the mean of -ln q; a file in which it is not was edited or mixed.
std::optional<double> read_perplexity(const Json& json, const std::string& where) {
  const auto perplexity = known_number(json.at("perplexity")), nll = known_number(json.at("nll_nats"));
  if (!perplexity) return std::nullopt;
  if (*perplexity < 1) environment_error("{}.perplexity is {}, must be at least 1", where, *perplexity);
  if (nll && std::abs(std::log(*perplexity) - *nll) > 1e-3) {
    environment_error("{}.perplexity is {}, but nll_nats is {}, which makes it {}: run the sweep again",
                      where, *perplexity, *nll, std::exp(*nll));
  }
  return perplexity;
}

SweepPoint read_point(const Json& json, const std::string& where) {
  SweepPoint point;
  point.mode = json.at("mode");
  point.rotation = json.at("rotation");
  point.prefill = json.at("prefill");
  point.sparsity_permille = json.at("sparsity_permille");
  point.weight_sparsity = known_number(json.at("weight_sparsity"));
  point.perplexity = read_perplexity(json, where);
  point.kl_nats = known_number(json.at("kl_nats"));
  point.agreement = known_number(json.at("agreement"));
  // A sum of rounded terms may end just below zero.
  if (point.kl_nats && *point.kl_nats < -1e-3)
    environment_error("{}.kl_nats is {}, but a divergence is never negative", where, *point.kl_nats);
  return point;
}

/// What one sweep has one of: the report states it once for all points.
void require_common(const Json& points, const char* key, const std::string& path) {
  for (std::size_t i = 1; i < points.size(); ++i) {
    if (points[i].at(key) == points[0].at(key)) continue;
    environment_error("{}: points[{}].{} is {}, but points[0].{} is {}: give the report one sweep for each",
                      path, i, key, points[i].at(key).dump(), key, points[0].at(key).dump());
  }
}

void read_points(const Json& points, const std::string& path, SweepRun& run) {
  for (const char* key : {"values", "coefficient_in", "coefficient_out"}) require_common(points, key, path);
  if (!points.empty()) {
    run.values = points[0].at("values");
    run.coefficient_in = points[0].at("coefficient_in");
    run.coefficient_out = points[0].at("coefficient_out");
  }
  std::set<std::tuple<std::string, std::string, bool, int>> seen;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const std::string where = fmt::format("{}: points[{}]", path, i);
    SweepPoint point = read_point(points[i], where);
    if (!seen.emplace(point.mode, point.rotation, point.prefill, point.sparsity_permille).second) {
      environment_error("{}: mode {}, rotation {} at {} permille {} is listed twice", where, point.mode,
                        point.rotation, point.sparsity_permille,
                        point.prefill ? "with sparse prefill" : "in decoding alone");
    }
    const std::string origin = points[i].value("origin", "");
    auto& origins = run.rotation_origins;
    if (!origin.empty() && std::find(origins.begin(), origins.end(), origin) == origins.end())
      origins.push_back(origin);
    run.points.push_back(std::move(point));
  }
}

}  // namespace

SweepRun read_sweep(const std::filesystem::path& directory, const std::filesystem::path& report_directory) {
  const JsonFile file = read_json_file(directory / kSweepFile, "sweep");
  const Json& json = file.json;
  const std::string path = file.path.string();
  SweepRun run;
  run.origin = read_origin(json, "phi2 evaluate");
  run.origin.files = {input_file(file, report_directory)};
  run.model = read_model(json.at("model"));
  const Json &settings = json.at("settings"), &text = json.at("text");
  run.dtype = settings.at("dtype");
  run.device = settings.at("device");
  run.threads = settings.at("threads");
  run.window_tokens = settings.at("window_tokens");
  run.prompt_tokens = settings.at("prompt_tokens");
  run.text = text.at("name");
  run.text_hash = text.at("hash");
  run.tokens = text.at("tokens");
  run.predicted_tokens = text.at("predicted_tokens");
  if (run.predicted_tokens > run.tokens) {
    environment_error("{}: text.predicted_tokens is {}, more than text.tokens, which is {}", path,
                      run.predicted_tokens, run.tokens);
  }
  run.dense_perplexity = read_perplexity(json.at("dense"), path + ": dense");
  read_points(json.at("points"), path, run);
  return run;
}

}  // namespace trisect::report
