#include "integration/runner/generate_figures.hpp"

#include <algorithm>
#include <cstdio>
#include <numeric>

#include "integration/phi2/engine/sequence.hpp"
#include "integration/runner/quality.hpp"
#include "integration/runner/terminal.hpp"
#include "kernels/core/bandwidth_probe.hpp"
#include "kernels/core/cpu.hpp"
#include "kernels/core/interrupt.hpp"

namespace trisect::runner {
namespace {

// From here on prefill is bound by gemm, and worth a comparison with it.
constexpr std::size_t kLongPrompt = 256;
constexpr int kProbedSteps = 9;
constexpr std::size_t kProbeCaches = 8;  // last-level caches that the probe reads at a time

const char* name_of(phi2::Finish finish) {
  switch (finish) {
    case phi2::Finish::kLength:
      return "length";
    case phi2::Finish::kEndOfText:
      return "end of text";
    case phi2::Finish::kInterrupted:
      return "interrupted";
  }
  return "?";
}

std::vector<double> all_steps(const std::vector<Generated>& all) {
  std::vector<double> steps;
  for (const Generated& one : all) {
    steps.insert(steps.end(), one.measured.result.token_s.begin(), one.measured.result.token_s.end());
  }
  return steps;
}

/// The generation whose prefill is compared with gemm.
const Generated& longest_prompt(const std::vector<Generated>& all) {
  return *std::max_element(all.begin(), all.end(), [](const Generated& a, const Generated& b) {
    return a.prompt->ids.size() < b.prompt->ids.size();
  });
}

double prefill_rate(const phi2::Config& config, const Generated& one) {
  return prefill_flops(config, one.prompt->ids.size()) / one.measured.result.prefill_s;
}

void print_prefill(const phi2::Config& config, const std::vector<Generated>& all, const Peaks& peaks) {
  std::size_t tokens = 0;
  double seconds = 0;
  for (const Generated& one : all) {
    tokens += one.prompt->ids.size();
    seconds += one.measured.result.prefill_s;
  }
  if (seconds == 0) return;
  fmt::print(stderr, "prefill    {:>10}  {} tokens, {:.1f} tokens/s\n", seconds_text(seconds), tokens,
             static_cast<double>(tokens) / seconds);
  if (peaks.gemm_flops == 0) return;
  const Generated& longest = longest_prompt(all);
  const double rate = prefill_rate(config, longest);
  fmt::print(
      stderr, "           {:>10}  of {} tokens: {:.1f} GFLOP/s, {:.0f} % of oneDNN's packed gemm ({:.1f})\n",
      "", longest.prompt->ids.size(), rate / 1e9, 100 * rate / peaks.gemm_flops, peaks.gemm_flops / 1e9);
}

void print_decode(const phi2::Engine& engine, const std::vector<double>& steps, const Peaks& peaks) {
  if (steps.empty()) return;
  const double typical = median(steps);
  fmt::print(stderr, "decode     {:>10}  {} steps, {:.1f} tokens/s; a step p50 {}, p99 {}\n",
             seconds_text(sum(steps)), steps.size(), static_cast<double>(steps.size()) / sum(steps),
             seconds_text(typical), seconds_text(quantile(steps, 0.99)));
  const double gbps = engine.decode_bytes() / typical / 1e9;
  fmt::print(stderr, "           {:>10}  {} of weights a token: {:.2f} GB/s", "",
             bytes_text(engine.decode_bytes()), gbps);
  if (peaks.probe_gbps > 0) {
    fmt::print(stderr, "; beside the bandwidth probe ({:.2f}) {:.0f} % of it", peaks.probe_gbps,
               100 * peaks.decode_of_probe);
  }
  fmt::print(stderr, "\n");
}

/// What a text costs, whatever its tokens are.
struct PerCharacter {
  std::int64_t out = 0;          ///< characters generated
  double out_per_s = 0;          ///< while decoding
  double kv_bytes_per_1000 = 0;  ///< of prompts and generated texts; 0 for random ids
};

PerCharacter per_character(const phi2::Engine& engine, const std::vector<Generated>& all) {
  PerCharacter figures;
  std::int64_t in = 0;
  std::size_t tokens = 0;
  for (const Generated& one : all) {
    figures.out += characters_of(one.text);
    in += characters_of(one.prompt->text);
    tokens += one.prompt->ids.size() + one.measured.result.ids.size();
  }
  if (const double seconds = sum(all_steps(all)); seconds > 0) {
    figures.out_per_s = static_cast<double>(figures.out) / seconds;
  }
  if (in > 0) {
    figures.kv_bytes_per_1000 = 1000 * kv_bytes_per_token(engine.config(), engine.weights().dtype) *
                                static_cast<double>(tokens) / static_cast<double>(in + figures.out);
  }
  return figures;
}

void print_per_character(const PerCharacter& figures) {
  if (figures.kv_bytes_per_1000 == 0) return;
  fmt::print(stderr, "characters {:>10}  {:.1f} a second decoded; KV cache of 1000 characters {}\n",
             figures.out, figures.out_per_s, bytes_text(figures.kv_bytes_per_1000));
}

void print_larosa(const phi2::Engine& engine) {
  if (!engine.larosa()) return;
  const phi2::LarosaOptions& larosa = *engine.larosa();
  fmt::print(stderr,
             "larosa     {:>9.1f}%  of the layers' weights have activations dropped: sparsity {:.3f} times "
             "{:.3f} and {:.3f}\n",
             100 * phi2::weight_sparsity(engine.config(), larosa), larosa.sparsity_permille / 1000.0,
             larosa.coefficients.in_permille / 1000.0, larosa.coefficients.out_permille / 1000.0);
}

/// On a GPU: which, and what its data sheet would say of decoding.
void print_device(const phi2::Engine& engine) {
  if (engine.weights().device == Device::kCpu) return;
  const CudaFacts device = cuda_facts();
  fmt::print(stderr, "device     {:>10}  {}; {:.0f} GB/s by its attributes; {} steps recorded as graphs{}\n",
             "cuda", device.name, device.bandwidth_gbps, engine.graph_captures(),
             device.emulated ? "; emulated: no time here means anything" : "");
}

void print_memory(const Json& memory) {
  const auto part = [&](const char* key) { return bytes_text(memory.at(key).get<double>()); };
  fmt::print(stderr, "memory     {:>10}  at most: weights {}, rotations {}, KV cache {}, scratch {}\n",
             part("peak_rss_bytes"), part("weights_bytes"), part("rotations_bytes"), part("kv_bytes"),
             part("scratch_bytes"));
}

/// Memory may change its speed within seconds, so decode steps and probes take turns, one pass over memory
/// each.
void probe_beside_steps(phi2::Engine& engine, Peaks& peaks) {
  const BandwidthProbe probe(
      std::min(BandwidthProbe::kDefaultBytes, kProbeCaches * last_level_cache_bytes()));
  const int steps = std::min(kProbedSteps, engine.context());
  const Buffer logits(Dtype::kF32, 1, engine.config().vocab);
  phi2::Sequence sequence(engine, steps);
  const std::int32_t token = 0;
  std::vector<double> probes{probe.run(1)}, shares;
  for (int i = 0; i < steps; ++i) {
    const auto start = std::chrono::steady_clock::now();
    sequence.step({&token, 1}, logits.view());
    const double gbps = engine.decode_bytes() / seconds_since(start) / 1e9;
    probes.push_back(probe.run(1));
    shares.push_back(gbps / std::midpoint(probes[probes.size() - 2], probes.back()));
  }
  peaks.probe_gbps = median(probes);
  peaks.decode_of_probe = median(shares);
}

}  // namespace

Peaks measure_peaks(phi2::Engine& engine, const std::vector<Generated>& all) {
  Peaks peaks;
  // Those of the CPU say nothing of a GPU.
  if (interrupted() || engine.weights().device != Device::kCpu) return peaks;
  if (const std::size_t rows = longest_prompt(all).prompt->ids.size(); rows >= kLongPrompt) {
    peaks.gemm_flops = packed_gemm_flops(engine, std::min(static_cast<int>(rows), engine.max_rows()));
  }
  if (interrupted() || all_steps(all).empty()) return peaks;
  probe_beside_steps(engine, peaks);
  return peaks;
}

void print_figures(const phi2::Engine& engine, const std::vector<Generated>& all, const Peaks& peaks,
                   const Json& memory) {
  print_prefill(engine.config(), all, peaks);
  print_decode(engine, all_steps(all), peaks);
  print_per_character(per_character(engine, all));
  print_larosa(engine);
  print_memory(memory);
  print_device(engine);
}

Json generations_json(const std::vector<Generated>& all) {
  Json list = Json::array();
  for (const Generated& one : all) {
    const phi2::Generation& result = one.measured.result;
    list.push_back({{"prompt", one.prompt->text},
                    {"tokens_in", one.prompt->ids.size()},
                    {"tokens_out", result.ids.size()},
                    {"characters_in", characters_of(one.prompt->text)},
                    {"characters_out", characters_of(one.text)},
                    {"prefill_s", result.prefill_s},
                    {"decode_s", sum(result.token_s)},
                    {"token_s", result.token_s},
                    {"finish", name_of(result.finish)},
                    {"ids", result.ids},
                    {"text", one.text},
                    {"prefill_stages_s", stages_json(one.measured.prefill_stages)},
                    {"stages_s", stages_json(one.measured.decode_stages)}});
  }
  return list;
}

Json per_character_json(const phi2::Engine& engine, const std::vector<Generated>& all) {
  const PerCharacter figures = per_character(engine, all);
  const auto or_null = [](double value) { return value > 0 ? Json(value) : Json(); };
  return {{"characters_out", figures.out},
          {"characters_per_s", or_null(figures.out_per_s)},
          {"kv_bytes_per_1000_characters", or_null(figures.kv_bytes_per_1000)}};
}

Json peaks_json(const Peaks& peaks, const phi2::Config& config, const std::vector<Generated>& all) {
  const auto or_null = [](double value) { return value > 0 ? Json(value) : Json(); };
  const bool long_prompt = peaks.gemm_flops > 0;
  return {{"probe_gbps", or_null(peaks.probe_gbps)},
          {"decode_of_probe", or_null(peaks.decode_of_probe)},
          {"onednn_packed_gemm_flops", or_null(peaks.gemm_flops)},
          {"prefill_flops", long_prompt ? Json(prefill_rate(config, longest_prompt(all))) : Json()}};
}

}  // namespace trisect::runner
