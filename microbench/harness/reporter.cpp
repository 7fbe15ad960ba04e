#include "microbench/harness/reporter.hpp"

#include <algorithm>
#include <cmath>
#include <sstream>

namespace trisect::microbench {
namespace {

using Run = benchmark::BenchmarkReporter::Run;

/// A coefficient of variation is NaN where the mean is zero; JSON knows no NaN.
void make_finite(Run& run) {
  for (double* time : {&run.real_accumulated_time, &run.cpu_accumulated_time}) {
    if (!std::isfinite(*time)) *time = 0;
  }
  std::erase_if(run.counters, [](const auto& counter) { return !std::isfinite(counter.second.value); });
}

bool is_sample(const Run& run) { return run.run_type == Run::RT_Iteration && !run.error_occurred; }

std::string json_of(const std::vector<Run>& runs) {
  std::ostringstream text;
  benchmark::JSONReporter reporter;
  reporter.SetOutputStream(&text);
  reporter.ReportRuns(runs);
  return text.str();
}

std::string json_header() {
  std::ostringstream text;
  benchmark::JSONReporter reporter;
  reporter.SetOutputStream(&text);
  reporter.ReportContext(benchmark::BenchmarkReporter::Context());
  return text.str();
}

void append(std::string& list, const std::string& items) {
  if (!list.empty() && !items.empty()) list += ",\n";
  list += items;
}

/// What the library will say of the repetitions so far.
std::vector<Run> runs_of(const Row& row, std::int64_t family) {
  std::vector<Run> runs;
  for (const Sample& sample : row.samples) {
    Run run;
    run.run_name.function_name = row.benchmark;
    run.family_index = family;
    run.per_family_instance_index = 0;
    run.repetitions = row.repetitions;
    run.repetition_index = static_cast<std::int64_t>(runs.size());
    run.iterations = row.iterations;
    run.real_accumulated_time = sample.seconds;
    for (const auto& [name, value] : sample.counters) run.counters[name] = value;
    make_finite(run);
    runs.push_back(std::move(run));
  }
  return runs;
}

}  // namespace

Reporter::Reporter(benchmark::BenchmarkReporter* display, std::size_t name_width)
    : display_(display),
      console_(dynamic_cast<benchmark::ConsoleReporter*>(display) != nullptr),
      name_width_(name_width) {}

void Reporter::expect(Group& group) {
  expected_.clear();
  for (const auto& row : group.rows()) expected_[row->benchmark] = {row.get(), false};
}

bool Reporter::ReportContext(const Context& context) {
  if (context_shown_) return true;
  context_shown_ = true;
  Context wide = context;
  wide.name_field_width = name_width_;
  return display_->ReportContext(wide);
}

void Reporter::ReportRuns(const Runs& runs) {
  Runs kept;
  for (Run run : runs) {
    const auto row = expected_.find(run.run_name.str());
    if (row == expected_.end())
      throw Error(ExitCode::kCheckFailed, "benchmark of an unexpected name: " + run.run_name.str());
    const bool cut_off = !row->second.row->complete();
    if (row->second.row->measurable() ? cut_off && !is_sample(run) : !run.error_occurred) continue;
    run.family_index = family_of(run.run_name.str());
    make_finite(run);
    kept.push_back(std::move(run));
  }
  for (const Run& run : runs) expected_[run.run_name.str()].reported = true;
  if (kept.empty()) return;
  forward(kept);
  append(kept_, json_of(kept));
}

std::int64_t Reporter::family_of(const std::string& benchmark) {
  return family_.try_emplace(benchmark, static_cast<std::int64_t>(family_.size())).first->second;
}

void Reporter::forward(const Runs& runs) {
  if (!console_) return display_->ReportRuns(runs);
  Runs shown;
  for (const Run& run : runs) {
    const bool summary = run.aggregate_name == "median" || run.aggregate_name == "cv";
    const bool only_sample = is_sample(run) && run.repetitions == 1;
    if (!summary && !only_sample && !(run.error_occurred && shown.empty())) continue;
    shown.push_back(run);
    if (run.aggregate_name == "cv") shown.back().counters.clear();
  }
  if (!shown.empty()) display_->ReportRuns(shown);
}

std::string Reporter::json() {
  if (header_.empty()) header_ = json_header();
  std::string benchmarks = kept_;
  for (const auto& [name, expected] : expected_) {
    if (!expected.reported && expected.row->measurable())
      append(benchmarks, json_of(runs_of(*expected.row, family_of(name))));
  }
  return header_ + benchmarks + "\n  ]\n}\n";
}

}  // namespace trisect::microbench
