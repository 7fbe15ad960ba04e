// Measures group after group and keeps the result files up to date: after every repetition they tell all that
// was measured so far, whatever ends the run.
#pragma once

#include "kernels/core/bandwidth_probe.hpp"
#include "microbench/harness/result_files.hpp"
#include "microbench/harness/session.hpp"
#include "microbench/harness/turns.hpp"

namespace trisect::microbench {

class Recorder final : public Session {
 public:
  /// Nothing is owned; `turns` is null for a run of its own. Writes the files once, to find out in time that
  /// it can.
  Recorder(Reporter& reporter, const ResultFiles& files, Manifest& manifest, Turns* turns);

  bool in_order() const override { return turns_ != nullptr; }
  void wait_for_turn(std::string_view what) override;
  void repetition_ended(const Row& row) override;

  /// Nothing is kept of a group that was interrupted before its first repetition. `probe`: of the host's memory, null
  /// where no row is about it.
  void measure(Group& group, const BandwidthProbe* probe);
  void finish();

 private:
  void write(bool finished = false) { files_.write(reporter_, manifest_, finished); }
  void enter_rows(Group& group);
  void time(Group& group);

  Reporter& reporter_;
  const ResultFiles& files_;
  Manifest& manifest_;
  Turns* turns_;
  std::size_t first_row_ = 0;  // of the group, in the manifest
  std::size_t failures_ = 0;   // of its rows, as the manifest has them
  Group* group_ = nullptr;
};

/// Says on standard error how many rows ended in which status, and the reasons of those that are no pass. The
/// exit code; throws Error(kEnvironment) when every row was skipped, which is no success.
ExitCode conclude(const Manifest& manifest);

}  // namespace trisect::microbench
