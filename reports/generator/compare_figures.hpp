// What follows from a comparison's samples: totals per repetition, medians, rates and their changes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "reports/generator/results.hpp"

namespace trisect::report {

struct SideFigures {
  /// Seconds; one sample per repetition, all prompts together. Empty when no repetition was finished.
  std::optional<Summary> prefill, decode, total;
  std::optional<Summary> load;           ///< seconds; one sample per process
  std::optional<Summary> token;          ///< seconds per decode step, every step a sample
  std::optional<double> token_p99;       ///< seconds
  double tokens_in = 0, tokens_out = 0;  ///< per repetition, all prompts together
  double decode_steps = 0;               ///< per repetition
  std::optional<double>
      characters_out;  ///< likewise; empty for files that do not count them, and without text

  std::optional<double> decode_rate() const;     ///< tokens per second while decoding
  std::optional<double> whole_rate() const;      ///< tokens out per second of prefill and decode
  std::optional<double> character_rate() const;  ///< characters per second of prefill and decode
};

/// A side beside the baseline, over the repetitions that both finished.
struct CompareFigures {
  SideFigures baseline, optimized;
  std::optional<Change> load, prefill, decode, total, token;
  /// How many times faster text is written, prompts included: characters a second, or tokens where there is
  /// no text. Paired by repetition; see median_ratio().
  std::optional<Change> speed;
};

/// Repetitions in which a prompt is missing, as an interruption leaves one, are not counted.
SideFigures figures_of(const Side& side, std::size_t prompts);
CompareFigures figures_of(const CompareRun& run, const Side& side);

/// What the speeds of a side's parts, each alone, would come to if they multiplied; empty for one part, and
/// where not each was measured alone.
std::optional<double> product_of_parts(const CompareRun& run, const Side& side);
/// The side with one part, or null.
const Side* alone(const CompareRun& run, const std::string& part);

/// How the tokens of equal text change with a side's vocabulary: of prompts, and of answers where they were
/// given; 0 where the vocabulary is the baseline's.
std::optional<double> tokens_change(const CompareRun& run, const Side& side);

/// Weights that never learned anything.
bool is_synthetic(const Model& model);

/// Decode steps for 1000 characters of text; empty without text.
std::optional<double> steps_per_1000_characters(const SideFigures& figures);

/// KV memory of 1000 characters of prompts and texts; empty where characters were not counted.
std::optional<double> kv_bytes_per_1000_characters(const Side& side, const SideFigures& figures,
                                                   const std::vector<Prompt>& prompts);

/// The stages of a decode step that take time on either side, in the order of the forward pass; stages of
/// later versions come last.
std::vector<std::string> stages_of(const CompareRun& run);

/// Without the repetitions that the other has not: what is compared must have met the same machine.
Side common(const Side& side, const Side& other);

/// Seconds per decode step; 0 for a stage that the side does not have.
double stage_s(const Side& side, const std::string& stage);

/// All that LaRoSA adds to a decode step, in seconds: rotating and selecting, and what naive adds to that.
double overhead_s(const Side& side);
/// The two projections of a layer, in seconds per decode step.
double products_s(const Side& side);
double all_stages_s(const Side& side);

}  // namespace trisect::report
