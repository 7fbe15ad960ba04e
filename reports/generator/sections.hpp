// The parts of the report, each from its heading to its last line.
#pragma once

#include <string>
#include <vector>

#include "reports/generator/layers.hpp"
#include "reports/generator/pictures.hpp"
#include "reports/generator/results.hpp"

namespace trisect::report {

/// The pictures of a report while it is written. Without gnuplot it takes none, and nothing refers to them.
class Album {
 public:
  explicit Album(bool open) : open_(open) {}
  /// The markdown that shows the picture, or nothing.
  std::string add(Picture picture);
  std::vector<Picture> take() { return std::move(pictures_); }

 private:
  bool open_;
  std::vector<Picture> pictures_;
};

/// The sparsities that a text speaks of, if it has them: the comparisons' own, then 50 %.
std::vector<int> wanted_sparsities(const Results& results);

/// Does it pay, from which sparsity, at which price in quality: a paragraph for each of
/// layers, comparisons and sweeps.
std::string verdict_of(const Results& results, const std::vector<Layer>& layers);

/// "Measured from ... to ...", of all inputs together.
std::string time_line(const Results& results);

/// What a reader must not conclude about GPUs; empty when some row was measured on one.
std::string gpu_line(const Results& results);

std::string environment_section(const Results& results);
std::string larosa_section(const Results& results, const std::vector<Layer>& layers,
                           const std::string& prefix, Album& album);
/// The parts of larosa_section: every stage on its own, and the variants of top-k; nothing without rows.
std::string stages_section(const Results& results);
std::string topk_section(const Results& results);
/// Stages on the CPU and on the GPU, with bounds for GPUs that are not there; nothing without rows.
std::string gpu_section(const Results& results);
/// What bounds the CPU's kernels, by the bandwidth that the run measured; nothing without a probe.
std::string roofline_section(const Results& results, const std::string& prefix, Album& album);
std::string other_ops_section(const Results& results);
/// Quality against sparsity and, where a phi-2 block was measured too, speed against quality.
std::string quality_section(const SweepRun& run, const Results& results, int number,
                            const std::vector<Layer>& layers, const std::string& prefix, Album& album);
/// What the sweep says of rotations at one sparsity: "On phi-mini ...", for the verdict; or nothing.
std::string quality_headline(const SweepRun& run, const Results& results);
/// Tokens, quality, speed, memory and output lengths with a base vocabulary and an adapted one.
std::string vocabulary_section(const VocabularyRun& run, int number, const std::string& prefix, Album& album);
/// What it says in a sentence or two, for the verdict.
std::string vocabulary_headline(const VocabularyRun& run);
/// Tokens for 1000 characters of output, before and after; "not an effect" where the seeds alone explain it.
std::string vocabulary_output(const VocabularyRun& run);
std::string compare_section(const CompareRun& run, const Results& results, int number,
                            const std::vector<Layer>& layers, const std::string& prefix, Album& album);
/// The parts of compare_section: each optimisation against tokens, speed, memory and quality, and against
/// what is claimed for it; what it adds to each stage; whether stages and kernels explain a step.
std::string combination_section(const CompareRun& run);
std::string attribution_section(const CompareRun& run);
std::string budget_section(const CompareRun& run, const Results& results);
/// KV caches under traffic: memory over time, savings, cost in time, and attention over contiguous and paged
/// rows; nothing without traces and rows of it.
std::string traces_section(const Results& results, const std::string& prefix, Album& album);
std::string not_measured_section(const Results& results);
std::string reproduce_section(const Results& results);

/// Every row of one family in one run.
std::string row_table(const MicrobenchRun& run, const std::string& family);

/// What the row read of the bandwidth measured around it, in %.
std::string share_text(const Row& row);

/// "pass, error 1.2e-04 of 2.0e-02", "FAIL: ...", "skipped: ...".
std::string check_text(const Row& row);

/// The run's own command with another filter and output directory.
std::string microbench_command(const MicrobenchRun& run, const std::string& filter);

/// The same as the line under a table.
std::string reproduce(const MicrobenchRun& run, const std::string& filter);

}  // namespace trisect::report
