// When vAttention pays: its memory and its steps beside each other KV cache's, on each trace.
#pragma once

#include <string>
#include <vector>

#include "reports/generator/results.hpp"

namespace trisect::report {

/// Committed bytes that differ by less count as the same, and so do step times.
inline constexpr double kSameMemory = 0.01, kSameStep = 0.02;

enum class Pays {
  kYes,    ///< better in memory or time, and worse in neither
  kTrade,  ///< better in one and worse in the other
  kNo,     ///< better in neither
};

struct TraceJudgement {
  const TraceRun* run;
  std::string other;
  double saved = 0;       ///< of the other's committed bytes, averaged over steps
  double step_ratio = 1;  ///< paired, median; above 1: vattention's steps are longer
  Pays pays = Pays::kNo;

  int memory() const { return saved >= kSameMemory ? 1 : saved <= -kSameMemory ? -1 : 0; }
  int time() const { return step_ratio <= 1 - kSameStep ? 1 : step_ratio >= 1 + kSameStep ? -1 : 0; }
};

/// Of every trace and every cache that vattention ran beside, where both figures are known.
std::vector<TraceJudgement> judge_traces(const std::vector<TraceRun>& runs);

/// Tokens that a running request has, averaged over requests and steps; 0 when none ran.
double mean_length(const TraceRun& run, const TraceCache& cache);

/// The models that the traces ran on: "a and b".
std::string trace_models(const std::vector<TraceRun>& runs);

/// "chat", "chat with granules of 2.10 MB" where the inputs have others too, "chat with LaRoSA (merged, 50
/// %)" and "chat (model)" where that is not as in the first.
std::string trace_label(const TraceRun& run, const std::vector<TraceRun>& runs);

/// Where it pays, where it trades and where it does not, and why; nothing without a vattention run.
std::string trace_verdict(const std::vector<TraceRun>& runs);

}  // namespace trisect::report
