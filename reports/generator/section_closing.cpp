#include <fmt/format.h>

#include <algorithm>

#include "reports/generator/markdown.hpp"
#include "reports/generator/sections.hpp"

namespace trisect::report {

std::string not_measured_section(const Results& results) {
  std::vector<std::string> lines;
  const auto rows = results.rows();
  const auto has = [&](auto&& predicate) {
    return std::any_of(rows.begin(), rows.end(), [&](const Row* row) { return predicate(*row); });
  };
  if (!has([](const Row& row) { return row.device != "cpu" && row.time_ns; })) lines.emplace_back("Any GPU.");
  if (results.runs.empty()) {
    lines.emplace_back("The kernels on their own: no microbenchmark is among the inputs.");
  } else {
    lines.emplace_back(
        "In the microbenchmarks: allocation, packing of weights and everything else that is done once; how "
        "kernels disturb each other.");
    lines.emplace_back(
        "Layers with several rows of activations (prefill, batches): LaRoSA is measured on one token at a "
        "time.");
    if (!has([](const Row& row) { return row.family() == "vattention"; }))
      lines.emplace_back("vAttention's kernels: no row of them is among the inputs.");
    if (!has([](const Row& row) { return row.family() == "adaptivocab"; }))
      lines.emplace_back("AdaptiVocab: no row of it is among the inputs.");
  }
  if (results.comparisons.empty())
    lines.emplace_back("Generation, its memory and its quality: no comparison is among the inputs.");
  if (results.sweeps.empty())
    lines.emplace_back(
        "Quality against sparsity: no sweep (phi2 evaluate --larosa-sweep) is among the inputs.");
  if (results.vocabularies.empty())
    lines.emplace_back("An adapted vocabulary: no vocabulary.json (phi2 vocabulary) is among the inputs.");
  for (const CompareRun& run : results.comparisons) {
    const bool judged = std::all_of(run.sides.begin(), run.sides.end(),
                                    [](const Side& side) { return side.quality.has_value(); });
    if (judged) continue;
    lines.push_back(
        fmt::format("The quality of {}: it was not evaluated on all sides.", escape(run.model.name)));
  }
  if (results.traces.empty())
    lines.emplace_back("Several requests at once, and KV caches: no trace (phi2 trace) is among the inputs.");
  lines.emplace_back("Energy.");
  std::string text = "## What was not measured\n\n";
  for (const std::string& line : lines) text += "- " + line + "\n";
  return text + "\n";
}

std::string reproduce_section(const Results& results) {
  std::string commands;
  for (const Origin* origin : results.origins()) commands += shell_command(origin->command) + "\n";
  for (const MicrobenchRun& run : results.runs) commands += microbench_command(run, "^NAME/") + "\n";
  commands.pop_back();
  return "## How to reproduce\n\nThe runs as a whole, then any single row by its NAME. Compare times within "
         "a run only, as ratios.\n\n" +
         code_block(commands) + "\n";
}

}  // namespace trisect::report
