// The few figures that matter most, as small tables: for the report's first page, for the README and for the
// page over several machines. Each is empty where its inputs are not there.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "reports/generator/layers.hpp"
#include "reports/generator/results.hpp"
#include "reports/generator/trace_verdict.hpp"
#include "reports/generator/ways.hpp"

namespace trisect::report {

/// phi-2's block in bf16 or whatever type was measured; empty without one.
std::optional<Work> headline_work(const std::vector<Layer>& layers);

/// The sparsities that headlines speak of: 40 % and 50 % where `work` has them, else the largest.
std::vector<int> headline_sparsities(const Work& work);

/// Perplexity over dense on the first sweep of the rotation that a way of a block runs with, dropping in
/// decoding alone.
struct WayQuality {
  double perplexity = 0, price = 1;
};
std::optional<WayQuality> quality_of(const Results& results, const std::string& way, int permille);

/// What vAttention does against one other cache with granules of one size, over all traces.
struct AgainstCache {
  std::string other;
  double granule_bytes = 0;
  int yes = 0, trade = 0, no = 0;
  double saved_low = 0, saved_high = 0, step_low = 1, step_high = 1;
};
std::vector<AgainstCache> against_caches(const std::vector<TraceRun>& runs);

/// A row for each way of running LaRoSA: break-even, speed-up with its interval, and perplexity beside it.
std::string larosa_headline(const Results& results, const std::vector<Layer>& layers);
/// A row for each KV cache that vattention ran beside: memory saved and step time, over the traces.
std::string vattention_headline(const Results& results);
/// Tokens saved, bits per character before and after, tokens of 1000 characters of output.
std::string adaptivocab_headline(const Results& results);

}  // namespace trisect::report
