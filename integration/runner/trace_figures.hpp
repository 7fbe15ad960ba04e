// One policy's run of a trace: what it needed, and what that is beside the others.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "integration/phi2/engine/batch_server.hpp"
#include "integration/runner/record.hpp"
#include "kernels/vattention/usage_meter.hpp"

namespace trisect::runner {

struct TraceRun {
  struct Point {
    int step = 0, running = 0;
    vattention::KvUsage usage;
  };
  /// Committed bytes by the cache's account and by the kernel's.
  struct Account {
    int step = 0;
    std::size_t committed = 0, resident = 0;
  };
  /// On CUDA, of the cache's end: what it had committed, and by how much the device's free memory grew.
  struct Returned {
    std::size_t committed = 0, freed = 0;
  };

  std::string policy;
  std::unique_ptr<vattention::KvCache> cache;  ///< until the run is over
  vattention::KvWork work;                     ///< all of the cache's
  std::unique_ptr<phi2::BatchServer> server;
  vattention::UsageMeter meter;  ///< over steps, not seconds: the same on every machine
  std::vector<Point> points;     ///< one a step
  std::vector<Account> accounts;
  std::optional<Returned> returned;
  std::vector<double> decode_s;  ///< of steps that decoded
  std::vector<int> decode_step;  ///< their numbers
  double prefill_s = 0;
  std::int64_t generated = 0;
  int steady_steps = 0;            ///< that decoded while no request came or went
  std::int64_t steady_faults = 0;  ///< page faults of the computing threads in them
};

struct TraceCounts {
  int finished = 0, refused = 0, preemptions = 0;
};
TraceCounts counts_of(const TraceRun& run);

/// Whether every request that both finished has the same ids.
bool same_ids(const TraceRun& a, const TraceRun& b);

/// The largest relative difference between the two accounts of committed bytes. What a cache has beside rows
/// (a block table) is `slack` bytes of what the device gets back at most.
double largest_disagreement(const TraceRun& run, std::size_t slack = 0);

/// The median over steps that both decoded of a's time divided by b's; 0 without such steps.
double paired_step_ratio(const TraceRun& a, const TraceRun& b);

std::string trace_table(const std::vector<TraceRun>& runs);
Json trace_runs_json(const std::vector<TraceRun>& runs);

}  // namespace trisect::runner
