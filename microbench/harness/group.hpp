// Everything that is compared with each other: the variants of one op on one problem, on the same memory.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/core/op.hpp"
#include "microbench/harness/session.hpp"

namespace trisect::microbench {

/// kSkipped: cannot run here, or the run ended before it came to it. kError: threw, or could not be measured.
enum class Status { kPass, kFail, kMistrusted, kSkipped, kError };
std::string_view name_of(Status status);

/// One repetition that went well.
struct Sample {
  double seconds = 0;  ///< of all its calls
  std::map<std::string, double> counters;
};

/// One benchmark: a row of the manifest.
struct Row {
  std::string benchmark;  ///< Google Benchmark's full name
  std::string group;
  std::string_view op, variant;
  Device device = Device::kCpu;
  std::string_view dtype;  ///< "" where the op has one type only
  std::vector<std::pair<std::string_view, int>> problem;
  Cost cost;
  std::int64_t iterations = 1;
  int repetitions = 1;
  std::vector<Sample> samples;  ///< of the repetitions so far
  std::size_t copies = 0;
  std::string_view weights = "none";  ///< cold, hot (they fit in the cache) or none
  std::string_view timing = "host";   ///< whose clock: host; or the device's, around a graph or a stream of calls
  std::optional<std::size_t> launches;  ///< kernels, copies and fills of one call on a device
  double clock_share = 0;             ///< lowest that a device showed behind a sample; 0 when unknown
  int discarded = 0;                  ///< samples taken while the device was throttled
  std::optional<Check> check;         ///< the worst one; none before the first
  Status status = Status::kPass;
  std::string reason;  ///< why it is not a pass, or how it was cut short

  bool measurable() const { return status == Status::kPass || status == Status::kMistrusted; }
  bool complete() const { return static_cast<int>(samples.size()) == repetitions; }
  std::string base_name() const { return benchmark.substr(0, benchmark.find("/iterations:")); }
  void give_up(Status with, std::string why) {
    status = with;
    reason = std::move(why);
  }
};

class Group {
 public:
  virtual ~Group() = default;

  /// Builds the memory and checks every measurable row on it. Returns early when interrupted.
  virtual void prepare(Session& session) = 0;
  /// Hands the rows that are not skipped to Google Benchmark; they refer to this group, and to the session,
  /// until release().
  virtual void register_benchmarks(Session& session) = 0;
  virtual void release() = 0;

  const std::string& name() const { return name_; }  ///< "<op>/<problem>"
  std::vector<std::unique_ptr<Row>>& rows() { return rows_; }

 protected:
  explicit Group(std::string name) : name_(std::move(name)) {}

 private:
  std::string name_;
  std::vector<std::unique_ptr<Row>> rows_;
};

using Groups = std::vector<std::unique_ptr<Group>>;

}  // namespace trisect::microbench
