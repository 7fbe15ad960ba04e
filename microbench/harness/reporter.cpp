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

}  // namespace

Reporter::Reporter(benchmark::BenchmarkReporter* display, std::size_t name_width)
    : display_(display),
      console_(dynamic_cast<benchmark::ConsoleReporter*>(display) != nullptr),
      name_width_(name_width) {}

void Reporter::expect(Group& group) {
  expected_.clear();
  for (const auto& row : group.rows()) expected_[row->benchmark] = row.get();
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
    const bool cut_off = row->second->completed < row->second->repetitions;
    if (row->second->measurable() ? cut_off && !is_sample(run) : !run.error_occurred) continue;
    run.family_index =
        family_.try_emplace(run.run_name.str(), static_cast<std::int64_t>(family_.size())).first->second;
    make_finite(run);
    kept.push_back(std::move(run));
  }
  if (kept.empty()) return;
  forward(kept);
  kept_.push_back(std::move(kept));
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

std::string Reporter::json() const {
  std::ostringstream text;
  benchmark::JSONReporter reporter;
  reporter.SetOutputStream(&text);
  reporter.ReportContext(Context());
  for (const Runs& runs : kept_) reporter.ReportRuns(runs);
  reporter.Finalize();
  return text.str();
}

}  // namespace trisect::microbench
