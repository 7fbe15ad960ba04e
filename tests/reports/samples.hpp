// Results as the readers hand them over, small and with round numbers, for tests to change.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "reports/generator/results.hpp"

namespace trisect::report::testing {

inline Summary exactly(double value, int samples = 9) { return {samples, value, value, value, value, value}; }

inline Origin quiet_origin(const std::string& program, const std::string& file) {
  Origin origin;
  origin.program = program;
  origin.files = {{file, "0123456789abcdef"}};
  origin.command = {"build/release/bin/" + program};
  origin.build = {"0.1.0", "abc", "GNU 12.2.0", "-O2", "RelWithDebInfo", "", false};
  origin.environment.cpu = "CPU";
  origin.environment.governor = "performance";
  origin.environment.gpu = "none";
  origin.environment.processors = 2;
  origin.environment.threads = 2;
  origin.environment.llc_bytes = 1e6;
  origin.environment.load = 0.1;
  origin.environment.threads_pinned = true;
  return origin;
}

inline Row row(const std::string& op, const std::string& variant, std::map<std::string, int> problem,
               double time_us) {
  Row sample;
  sample.op = op;
  sample.variant = variant;
  sample.device = "cpu";
  sample.dtype = "bf16";
  sample.problem = std::move(problem);
  sample.name = op + "/" + variant + "/bf16";
  sample.group = op;
  for (const auto& [field, value] : sample.problem) {
    sample.name += "/" + field + ":" + std::to_string(value);
    sample.group += "/" + field + ":" + std::to_string(value);
  }
  sample.benchmark = sample.name + "/iterations:1/repeats:9/real_time";
  sample.weights = "cold";
  sample.check.status = "pass";
  sample.status = "pass";
  sample.time_ns = exactly(time_us * 1e3);
  return sample;
}

inline Row layer_row(const std::string& mode, int in, int out, int permille, double time_us,
                     bool rotated = true) {
  return row("larosa/layer", mode,
             {{"in", in}, {"out", out}, {"is_rotated", rotated}, {"sparsity_permille", permille}}, time_us);
}

/// A run with nothing to warn of.
inline MicrobenchRun quiet_run(std::vector<Row> rows) {
  MicrobenchRun run;
  run.origin = quiet_origin("microbench", "benchmark.json");
  run.probe_gbps = 10;
  run.groups = {{"group", 10.0, 10.0}};
  run.rows = std::move(rows);
  for (Row& each : run.rows) each.probe_gbps = 10;
  return run;
}

inline Results results_of(std::vector<Row> rows) {
  Results results;
  results.runs.push_back(quiet_run(std::move(rows)));
  return results;
}

/// Seconds over all generations, in equal parts.
inline void set_stages(Side& side, const std::map<std::string, double>& totals) {
  for (Generation& generation : side.generations) {
    generation.stages_s.clear();
    for (const auto& [stage, total] : totals)
      generation.stages_s[stage] = total / static_cast<double>(side.generations.size());
  }
}
inline void set_stage(Side& side, const std::string& stage, double total) {
  for (Generation& generation : side.generations)
    generation.stages_s[stage] = total / static_cast<double>(side.generations.size());
}

/// Three repetitions of one prompt, ten decode steps each, a millisecond a step after a prefill of one.
inline Side quiet_side() {
  Side side;
  side.load_s = {1, 1, 1};
  for (int repetition = 0; repetition < 3; ++repetition) {
    side.generations.push_back({0, repetition, 5, 11, 0.001, 0.01, std::vector<double>(10, 0.001), "text"});
  }
  side.memory = Memory{100e6, 80e6, 0, 1e6, 1e6, 1e6, 0.5e6};
  set_stages(side, {{"in_product", 0.015}, {"out_product", 0.009}, {"attention", 0.006}});
  side.weight_bytes_per_token = 9e6;  // 9 GB/s of a probe of 10
  side.quality = Quality{"general.txt", 100, 20.0, 1.5, {}, {}};
  return side;
}

inline Side quiet_side(std::vector<std::string> parts) {
  Side side = quiet_side();
  for (const std::string& part : parts) side.name += (side.name.empty() ? "" : "+") + part;
  if (parts.empty()) side.name = "baseline";
  side.parts = std::move(parts);
  return side;
}

/// Two sides with the same figures, one of them with LaRoSA.
inline CompareRun quiet_compare() {
  CompareRun run;
  run.origin = quiet_origin("phi2 compare", "compare.json");
  run.model = {"tiny", "abc", 1e6, 2, 64, 2, 256, 100};
  run.settings.dtype = "bf16";
  run.settings.device = "cpu";
  run.settings.max_new_tokens = 11;
  run.settings.repetitions = 3;
  run.settings.larosa_mode = "online";
  run.settings.context = 100;
  run.settings.kv_cache = "static";
  run.settings.sparsity_permille = 400;
  run.prompts = {{"prompt", 5}};
  run.probe_gbps = run.mean_probe_gbps = 10;
  run.sides = {quiet_side({}), quiet_side({kLarosa})};
  run.sides[1].rotation = "calibrated";
  run.sides[1].agreement = Agreement{"baseline", 1, 1, 1.0, 11.0};
  return run;
}

inline SweepPoint sweep_point(const std::string& mode, const std::string& rotation, int permille,
                              std::optional<double> perplexity, bool prefill = false) {
  return {mode, rotation, prefill, permille, permille / 1000.0, perplexity, 0.1, 0.9};
}

/// Dense has a perplexity of 10; sparsities apply to inputs and outputs alike.
inline SweepRun quiet_sweep(std::vector<SweepPoint> points) {
  SweepRun run;
  run.origin = quiet_origin("phi2 evaluate", "sweep.json");
  run.model = {"tiny", "abc", 1e6, 2, 64, 2, 256, 100};
  run.dtype = "bf16";
  run.device = "cpu";
  run.text = "general.txt";
  run.text_hash = "def";
  run.tokens = 100;
  run.predicted_tokens = 50;
  run.coefficient_in = run.coefficient_out = 1;
  run.dense_perplexity = 10;
  run.points = std::move(points);
  return run;
}

/// A cache whose committed bytes are the same at every step; two requests of 100 tokens run.
inline TraceCache trace_cache(const std::string& name, double committed) {
  TraceCache cache;
  cache.name = name;
  cache.finished = 2;
  cache.tokens_per_s = 100;
  cache.step_p50_s = 0.01;
  cache.step_p99_s = 0.02;
  cache.decode_s = 1;
  cache.average = cache.peak = {8e6, committed, 200e3, 0};
  cache.highest = committed;
  cache.utilisation = 200e3 / committed;
  cache.accounts = 3;
  for (int step = 0; step < 3; ++step) cache.over_time.push_back({step, 2, cache.average});
  return cache;
}

/// A token takes 1000 bytes, a granule 4096; vattention beside each of `others` with the ratio of step times.
inline TraceRun quiet_trace(const std::string& name, double vattention_bytes,
                            const std::vector<std::tuple<std::string, double, double>>& others) {
  TraceRun run;
  run.origin = quiet_origin("phi2 trace", "trace.json");
  run.origin.started_utc = name;
  run.model = {"tiny", "abc", 1e6, 2, 64, 2, 256, 100};
  run.dtype = "bf16";
  run.device = "cpu";
  run.granule = "small";
  run.granule_bytes = 4096;
  run.token_bytes = 1000;
  run.slots = 4;
  run.context = 512;
  run.name = name;
  run.description = "Made.";
  run.requests = 2;
  TraceCache cache = trace_cache("vattention", vattention_bytes);
  for (const auto& [other, committed, step_ratio] : others) {
    run.caches.push_back(trace_cache(other, committed));
    cache.against[other] = {1 - vattention_bytes / committed, step_ratio, true};
    run.caches.back().against["vattention"] = {1 - committed / vattention_bytes, 1 / step_ratio, true};
  }
  run.caches.push_back(cache);
  return run;
}

/// Both products of a phi-2 block at one sparsity: dense takes 700 and 500 µs.
inline std::vector<Row> block_rows(int permille, double online_us, double merged_us, double out_us,
                                   double rotate_us = 100) {
  std::vector<Row> rows = {layer_row("dense", 2560, 17920, permille, 700),
                           layer_row("online", 2560, 17920, permille, online_us),
                           layer_row("dense", 2560, 17920, permille, 700, false),
                           layer_row("online", 2560, 17920, permille, merged_us, false),
                           layer_row("dense", 12800, 2560, permille, 500, false),
                           layer_row("online", 12800, 2560, permille, out_us, false)};
  rows[1].stage_ns["rotate"] = exactly(rotate_us * 1e3);
  rows[1].stage_ns["product"] = exactly((online_us - rotate_us) * 1e3);
  rows[3].stage_ns["product"] = exactly(merged_us * 1e3);
  rows[5].stage_ns["product"] = exactly(out_us * 1e3);
  return rows;
}

/// Makes every decode step `factor` times as long.
inline void stretch_decode(Side& side, double factor) {
  for (Generation& generation : side.generations) {
    generation.decode_s *= factor;
    for (double& step : generation.token_s) step *= factor;
  }
}

}  // namespace trisect::report::testing
