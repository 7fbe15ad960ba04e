#include <map>
#include <tuple>

#include "kernels/core/error.hpp"
#include "reports/generator/machines.hpp"
#include "reports/generator/read_common.hpp"

namespace trisect::report {
namespace {

/// A benchmark measured twice on one machine has two answers, and choosing one is not the report's business.
void refuse_doubles(const Results& results) {
  std::map<std::pair<std::string, std::string>, std::size_t> seen;
  for (const Row* row : results.rows()) {
    const auto [first, fresh] =
        seen.emplace(std::pair{machine_key(results.runs[row->run].origin), row->benchmark}, row->run);
    if (fresh) continue;
    environment_error("'{}' is in {} and in {}: give the report one of them", row->benchmark,
                      results.runs[first->second].origin.files.front().path,
                      results.runs[row->run].origin.files.front().path);
  }
}

/// A run given twice, as a copy or from a directory named twice, would stand in the report as two.
template <class Run>
void refuse_same(const std::vector<Run>& runs) {
  std::map<std::tuple<std::string, std::string, std::vector<std::string>>, const Origin*> seen;
  for (const Run& run : runs) {
    const auto [first, fresh] = seen.emplace(
        std::tuple{machine_key(run.origin), run.origin.started_utc, run.origin.command}, &run.origin);
    if (fresh) continue;
    environment_error("{} and {} are of the same run of {} (started {}): give the report one of them",
                      first->second->files.front().path, run.origin.files.front().path, run.origin.program,
                      run.origin.started_utc);
  }
}

}  // namespace

std::vector<const Origin*> Results::origins() const {
  std::vector<const Origin*> all;
  for (const MicrobenchRun& run : runs) all.push_back(&run.origin);
  for (const CompareRun& run : comparisons) all.push_back(&run.origin);
  for (const SweepRun& run : sweeps) all.push_back(&run.origin);
  for (const TraceRun& run : traces) all.push_back(&run.origin);
  for (const VocabularyRun& run : vocabularies) all.push_back(&run.origin);
  return all;
}

std::vector<const Row*> Results::rows() const {
  std::vector<const Row*> all;
  for (const MicrobenchRun& run : runs) {
    for (const Row& row : run.rows) all.push_back(&row);
  }
  return all;
}

MicrobenchRun read_run(const std::filesystem::path& directory,
                       const std::filesystem::path& report_directory) {
  Results results = read_results({directory}, report_directory);
  if (results.runs.empty())
    environment_error("{}: no {} here: only runs of microbench can be compared", directory.string(),
                      kBenchmarkFile);
  return std::move(results.runs.front());
}

Results read_results(const std::vector<std::filesystem::path>& directories,
                     const std::filesystem::path& report_directory) {
  Results results;
  for (const auto& directory : directories) {
    const auto holds = [&](const char* name) { return std::filesystem::exists(directory / name); };
    const bool benchmark = holds(kBenchmarkFile), manifest = holds(kManifestFile),
               compare = holds(kCompareFile), sweep = holds(kSweepFile), trace = holds(kTraceFile),
               vocabulary = holds(kVocabularyFile);
    if (!benchmark && !manifest && !compare && !sweep && !trace && !vocabulary) {
      environment_error(
          "{}: no results here: neither {} and {} of microbench, nor {} of phi2 compare, nor {} of "
          "phi2 evaluate --larosa-sweep, nor {} of phi2 trace, nor {} of phi2 vocabulary",
          directory.string(), kBenchmarkFile, kManifestFile, kCompareFile, kSweepFile, kTraceFile,
          kVocabularyFile);
    }
    if (benchmark != manifest) {
      environment_error("{}: {} without {}: the two belong together, copy both", directory.string(),
                        benchmark ? kBenchmarkFile : kManifestFile,
                        benchmark ? kManifestFile : kBenchmarkFile);
    }
    if (benchmark) {
      results.runs.push_back(read_microbench(directory, report_directory));
      for (Row& row : results.runs.back().rows) row.run = results.runs.size() - 1;
    }
    if (compare) results.comparisons.push_back(read_compare(directory, report_directory));
    if (sweep) results.sweeps.push_back(read_sweep(directory, report_directory));
    if (trace) results.traces.push_back(read_trace(directory, report_directory));
    if (vocabulary) results.vocabularies.push_back(read_vocabulary(directory, report_directory));
  }
  refuse_doubles(results);
  refuse_same(results.comparisons);
  refuse_same(results.sweeps);
  refuse_same(results.traces);
  refuse_same(results.vocabularies);
  return results;
}

}  // namespace trisect::report
