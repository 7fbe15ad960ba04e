#include "microbench/harness/recorder.hpp"

#include <algorithm>
#include <cstdio>

#include "kernels/core/interrupt.hpp"

namespace trisect::microbench {
namespace {

bool is_skipped(const std::unique_ptr<Row>& row) { return row->status == Status::kSkipped; }

std::size_t count_failures(Group& group) {
  return static_cast<std::size_t>(
      std::count_if(group.rows().begin(), group.rows().end(),
                    [](const auto& row) { return !row->measurable() && row->status != Status::kSkipped; }));
}

/// What is left of a row when the run ends early.
void cut_short(Row& row) {
  if (!row.measurable() || row.complete()) return;
  if (row.samples.empty()) return row.give_up(Status::kSkipped, "interrupted before it was measured");
  row.reason = fmt::format("{}{}interrupted after {} of {} repetitions", row.reason,
                           row.reason.empty() ? "" : "; ", row.samples.size(), row.repetitions);
}

}  // namespace

Recorder::Recorder(Reporter& reporter, const ResultFiles& files, Manifest& manifest, Turns* turns)
    : reporter_(reporter), files_(files), manifest_(manifest), turns_(turns) {
  write();
}

void Recorder::wait_for_turn(std::string_view what) {
  if (turns_ != nullptr) turns_->wait(what);
}

void Recorder::repetition_ended(const Row& row) {
  if (row.measurable() || count_failures(*group_) == failures_) return files_.write_samples(reporter_);
  enter_rows(*group_);
  write();
}

void Recorder::enter_rows(Group& group) {
  failures_ = count_failures(group);
  manifest_.rows.resize(first_row_);
  for (const auto& row : group.rows()) manifest_.rows.push_back(*row);
}

void Recorder::measure(Group& group, const BandwidthProbe* probe) {
  for (const auto& row : group.rows()) {
    if (is_skipped(row)) fmt::print(stderr, "skipped {}: {}\n", row->benchmark, row->reason);
  }
  group_ = &group;
  first_row_ = manifest_.rows.size();
  if (std::all_of(group.rows().begin(), group.rows().end(), is_skipped)) {
    manifest_.groups.push_back({group.name(), 0, 0});
  } else {
    wait_for_turn("probe before " + group.name());
    const double before = probe != nullptr ? probe->run() : 0;
    wait_for_turn("prepare " + group.name());
    group.prepare(*this);
    if (interrupted()) return;
    manifest_.groups.push_back({group.name(), before, 0});
    time(group);
    wait_for_turn("probe after " + group.name());
    if (!interrupted() && probe != nullptr) manifest_.groups.back().after_gbps = probe->run();
  }
  for (const auto& row : group.rows()) cut_short(*row);
  enter_rows(group);
  write();
}

void Recorder::time(Group& group) {
  enter_rows(group);
  reporter_.expect(group);
  write();
  group.register_benchmarks(*this);
  benchmark::RunSpecifiedBenchmarks(&reporter_, ".");
  benchmark::ClearRegisteredBenchmarks();
  group.release();
}

void Recorder::finish() { write(true); }

ExitCode conclude(const Manifest& manifest) {
  constexpr Status kAll[] = {Status::kPass, Status::kFail, Status::kMistrusted, Status::kSkipped,
                             Status::kError};
  std::string counts;
  std::size_t skipped = 0, failed = 0;
  for (const Status status : kAll) {
    const auto count = static_cast<std::size_t>(std::count_if(
        manifest.rows.begin(), manifest.rows.end(), [&](const Row& row) { return row.status == status; }));
    if (count > 0) counts += fmt::format("{}{} {}", counts.empty() ? "" : ", ", count, name_of(status));
    if (status == Status::kSkipped) skipped = count;
    if (status == Status::kFail || status == Status::kError) failed += count;
  }
  for (const Row& row : manifest.rows) {
    if (row.status != Status::kPass && row.status != Status::kSkipped)
      fmt::print(stderr, "{} {}: {}\n", name_of(row.status), row.benchmark, row.reason);
  }
  fmt::print(stderr, "{} rows: {}\n", manifest.rows.size(), counts.empty() ? "none" : counts);
  if (interrupted()) return ExitCode::kInterrupted;
  if (failed > 0) return ExitCode::kCheckFailed;
  if (skipped == manifest.rows.size())
    environment_error("nothing was measured: every selected row was skipped");
  return ExitCode::kOk;
}

}  // namespace trisect::microbench
