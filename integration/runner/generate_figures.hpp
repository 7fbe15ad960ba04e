// What generate says of its speed and memory.
#pragma once

#include <string>
#include <vector>

#include "integration/runner/prompts.hpp"
#include "integration/runner/record.hpp"

namespace trisect::runner {

struct Generated {
  const Prompt* prompt;
  MeasuredGeneration measured;
  std::string text;
};

/// What the machine could do at the most; zero where it was not measured.
struct Peaks {
  double probe_gbps = 0;       ///< median of the bandwidth probe
  double decode_of_probe = 0;  ///< a decode step's rate of reading weights, in parts of the probes around it
  double gemm_flops = 0;       ///< packed_gemm_flops(), for a prompt long enough to be bound by it
};

/// Measured after everything else, so that neither memory nor time of the generations knows of it; not after
/// Ctrl-C, and not on a GPU.
Peaks measure_peaks(phi2::Engine& engine, const std::vector<Generated>& all);

/// To standard error. `memory` is memory_json() of before the peaks were measured.
void print_figures(const phi2::Engine& engine, const std::vector<Generated>& all, const Peaks& peaks,
                   const Json& memory);

Json generations_json(const std::vector<Generated>& all);

/// Null where it was not measured.
/// Speed and KV memory by characters of text, which do not depend on the vocabulary; null where there is no
/// text.
Json per_character_json(const phi2::Engine& engine, const std::vector<Generated>& all);
Json peaks_json(const Peaks& peaks, const phi2::Config& config, const std::vector<Generated>& all);

}  // namespace trisect::runner
