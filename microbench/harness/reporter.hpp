// Between Google Benchmark, which is run once for each group, and the outputs, which are one.
#pragma once

#include <benchmark/benchmark.h>

#include <map>
#include <string>
#include <vector>

#include "microbench/harness/group.hpp"

namespace trisect::microbench {

/// Keeps every run, and forwards to the display: all runs, or on a console the median and the coefficient of
/// variation only. A row that is no longer measurable keeps its error and loses its numbers; one that was cut
/// off keeps the repetitions it completed. No NaN or infinity gets through.
/// The library reports a row when its last repetition is done; until then its samples are kept from the rows.
class Reporter : public benchmark::BenchmarkReporter {
 public:
  using Runs = std::vector<Run>;

  /// Neither is owned. `name_width` is the length of the longest name.
  Reporter(benchmark::BenchmarkReporter* display, std::size_t name_width);

  /// The rows that Google Benchmark will report next; they must stay until the next call.
  void expect(Group& group);

  bool ReportContext(const Context& context) override;
  void ReportRuns(const Runs& runs) override;
  void Finalize() override {}

  /// Ends the display's output.
  void finish() { display_->Finalize(); }

  /// Google Benchmark's JSON of everything kept and of the samples of rows that are not reported yet.
  std::string json();

 private:
  void forward(const Runs& runs);
  std::int64_t family_of(const std::string& benchmark);

  benchmark::BenchmarkReporter* display_;
  bool console_;
  std::size_t name_width_;
  bool context_shown_ = false;
  struct Expected {
    const Row* row = nullptr;
    bool reported = false;
  };
  std::map<std::string, Expected, std::less<>> expected_;
  std::map<std::string, std::int64_t, std::less<>>
      family_;                 // the library numbers families anew in each group
  std::string header_, kept_;  // of the JSON
};

}  // namespace trisect::microbench
