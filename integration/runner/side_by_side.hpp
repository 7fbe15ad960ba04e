// The measuring of compare: both sides loaded, each in its process, and asked in turn, so that what the
// machine does meanwhile falls on both.
#pragma once

#include <sched.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "integration/runner/comparison.hpp"

namespace trisect::runner {

struct SideBySide {
  const Model& model;      ///< of the baseline
  const Model& optimized;  ///< the same, or with another vocabulary
  const ModelOptions& options;
  const SamplingOptions& sampling;
  std::optional<phi2::LarosaOptions> larosa;  ///< of the optimised side
  std::string rotation_file;                  ///< "" for random ones
  std::string kv_cache;                       ///< of the optimised side; the baseline's is static
  int context = 0;
  int repetitions = 0;
  cpu_set_t processors{};  ///< that a side may use
};

/// Loads, warms up and runs every prompt `repetitions` times on each side, with a bandwidth probe before each
/// repetition; the side that begins changes from prompt to prompt. `after_repetition` may save what there is.
/// Throws Error(kInterrupted) after Ctrl-C: what is in `comparison` by then was measured.
void measure_generations(const SideBySide& setup, Comparison& comparison,
                         const std::function<void()>& after_repetition);

/// Evaluates a text on each side, in processes of their own, since evaluation needs more memory than
/// generation and treats every token as LaRoSA does in decoding.
void measure_quality(const SideBySide& setup, const std::string& name, std::string_view text,
                     Comparison& comparison);

}  // namespace trisect::runner
