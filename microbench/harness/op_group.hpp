// The group of any op: check, then time, on the same memory.
#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <exception>

#include "kernels/core/cpu.hpp"
#include "kernels/core/environment.hpp"
#include "kernels/core/interrupt.hpp"
#include "kernels/core/nvtx.hpp"
#include "microbench/harness/group.hpp"
#include "microbench/harness/plan.hpp"
#include "microbench/harness/stage_counters.hpp"

namespace trisect::microbench {

template <OpContract Op>
class OpGroup final : public Group {
 public:
  using Problem = typename Op::Problem;
  using Args = typename Op::Args;
  using Variant = VariantOf<Problem, Args>;

  OpGroup(const Problem& problem, const Repetitions& repetitions)
      : Group(fmt::format("{}/{}", Op::name, describe<Op>(problem))),
        problem_(problem),
        cost_(Op::cost(problem)) {
    double seconds = 0;
    if constexpr (requires { Op::nominal_seconds(problem); }) seconds = Op::nominal_seconds(problem);
    for (const Variant& variant : Op::variants()) {
      Row row;
      row.group = name();
      row.op = Op::name;
      row.variant = variant.name;
      row.device = variant.device;
      if constexpr (requires { problem.dtype; }) row.dtype = trisect::name_of(problem.dtype);
      for (const auto& field : Op::fields) row.problem.emplace_back(field.name, problem.*field.member);
      row.cost = cost_;
      row.iterations =
          iterations(cost_, is_reference(variant), repetitions.milliseconds, variant.device, seconds);
      row.repetitions = repetitions.count;
      row.benchmark = benchmark_name(fmt::format("{}/{}/{}", Op::name, row.variant, describe<Op>(problem_)),
                                     row.iterations, row.repetitions);
      if (const Availability yes = variant.available(problem); !yes) {
        row.give_up(Status::kSkipped, yes.why_not);
      } else if (is_reference(variant) && cost_.flops > kReferenceFlopLimit) {
        row.give_up(Status::kSkipped, "too slow to be timed; it only judges the others");
      }
      rows().push_back(std::make_unique<Row>(std::move(row)));
    }
  }

  void prepare(Session& session) override {
    // A variant that damages the memory spoils it for the others: start over without it.
    do build(session);
    while (!check_all());
  }

  void register_benchmarks(Session& session) override {
    for (Entry& entry : entries_) {
      benchmark::RegisterBenchmark(
          entry.row->base_name().c_str(),
          [this, &session, &entry](benchmark::State& state) { time(state, session, entry); })
          ->Iterations(entry.row->iterations)
          ->Repetitions(entry.row->repetitions)
          ->UseManualTime();  // that is, by the session's clock
    }
  }

  void release() override {
    entries_.clear();
    references_.clear();
    wanted_.clear();
    args_.clear();
    arena_.reset();
  }

 private:
  struct Entry {
    Row* row;
    const Variant* variant;
    std::size_t reference;   // index into references_
    std::vector<Args> args;  // by copy, on the variant's device
    Accelerator::How how = Accelerator::How::kGraph;
    bool on_device() const { return variant->device == Device::kCuda; }
  };

  static typename Variant::Fn* reference_of(const Variant& variant) {
    return variant.ref != nullptr ? variant.ref : Op::variants()[0].run;
  }
  /// An op whose calls are the host's, though they are about a device's memory, says `kTimedByHost`.
  static bool timed_by_device(const Entry& entry) {
    return entry.on_device() && !requires { Op::kTimedByHost; };
  }
  static bool is_reference(const Variant& variant) { return variant.run == reference_of(variant); }

  void build(Session& session) {
    release();
    const bool on_device = std::any_of(rows().begin(), rows().end(), [](const auto& row) {
      return row->device == Device::kCuda && row->measurable();
    });
    arena_.emplace(Seed{20260101});
    args_.push_back(Op::make(problem_, *arena_));
    const std::uint64_t available = memory_available_bytes();
    const std::size_t cache =
        std::max(last_level_cache_bytes(), on_device ? cuda_facts().cache_bytes : std::size_t{0});
    const Copies plan =
        plan_copies(cost_.bytes_read, arena_->input_bytes(), arena_->weight_bytes(), cache, available / 4);
    const std::uint64_t more = (plan.count - 1) * (arena_->input_bytes() + arena_->weight_bytes());
    if (more > available)
      environment_error("{}: needs {} MB more memory, {} MB are available", name(), more / 1000000,
                        available / 1000000);
    while (args_.size() < plan.count && !interrupted()) {
      arena_->begin_copy();
      args_.push_back(Op::make(problem_, *arena_));
    }
    std::vector<Args> device_args;
    for (std::size_t copy = 0; on_device && copy < args_.size(); ++copy) {
      arena_->begin_device(copy, session.accelerator().memory());
      device_args.push_back(Op::make(problem_, *arena_));
    }
    for (const std::unique_ptr<Row>& row : rows()) {
      row->copies = args_.size();
      row->weights = arena_->weight_bytes() == 0 ? "none" : plan.cold ? "cold" : "hot";
      if (row->status == Status::kSkipped) continue;
      const auto variant = std::find_if(Op::variants().begin(), Op::variants().end(),
                                        [&](const Variant& one) { return one.name == row->variant; });
      const auto known = std::find(references_.begin(), references_.end(), reference_of(*variant));
      const auto reference = static_cast<std::size_t>(known - references_.begin());
      if (known == references_.end()) references_.push_back(reference_of(*variant));
      entries_.push_back(
          {row.get(), &*variant, reference, variant->device == Device::kCuda ? device_args : args_});
    }
  }

  /// False when the memory was damaged; the culprit is then no longer measurable.
  bool check_all() {
    for (std::size_t r = 0; r < references_.size(); ++r) {
      for (std::size_t copy = 0; copy < args_.size(); ++copy) {
        if (interrupted()) return true;
        arena_->begin_reference(copy, wanted_.size());
        wanted_.push_back(Op::make(problem_, *arena_));
        references_[r](problem_, wanted_.back());
      }
    }
    for (Entry& entry : entries_) {
      if (!entry.row->measurable()) continue;
      if (is_reference(*entry.variant)) {
        entry.row->check = Check{CheckStatus::kPass, 0, 0, "is the reference"};
        continue;
      }
      try {
        for (std::size_t copy = 0; copy < args_.size() && entry.row->measurable() && !interrupted(); ++copy) {
          if constexpr (requires(Args & args) { args.prepared; }) {
            Args& args = entry.args[copy];
            if (entry.variant->prepare != nullptr) args.prepared = entry.variant->prepare(problem_, args);
          }
          verify(entry, copy);
        }
      } catch (const std::exception& error) {
        entry.row->give_up(Status::kError, error.what());
      }
      if (const std::string damage = arena_->damage(); !damage.empty()) {
        entry.row->give_up(Status::kFail, "check failed: " + damage);
        return false;
      }
    }
    return true;
  }

  void verify(Entry& entry, std::size_t copy) {
    arena_->reset_outputs();
    entry.variant->run(problem_, entry.args[copy]);
    if (entry.on_device()) arena_->fetch_outputs();
    const Check check = Op::check(problem_, args_[copy], wanted_[entry.reference * args_.size() + copy]);
    Row& row = *entry.row;
    row.check = row.check ? worse(*row.check, check) : check;
    if (check.status == CheckStatus::kFail) {
      row.give_up(Status::kFail, fmt::format("check failed: {} (copy {})", check.detail, copy));
    } else if (check.status == CheckStatus::kMistrusted) {
      row.give_up(Status::kMistrusted, check.detail);
    }
  }

  /// Google Benchmark calls this once for each repetition.
  void time(benchmark::State& state, Session& session, Entry& entry) {
    Row& row = *entry.row;
    bool entered = false;
    Sample sample;
    session.wait_for_turn(fmt::format("{} {}", row.base_name(), row.samples.size()));
    if (row.measurable() && !interrupted()) {
      try {
        warm_up(session, entry);
        entered = true;
        sample = timed_by_device(entry) ? measure_on_device(state, session, entry)
                                        : measure(state, session, entry);
        // The last copy once more: what was timed must still compute, and must have kept to its own memory.
        // Reading all of that takes longer than timing, so where no other row comes between, it is looked at
        // only at the end.
        if (!interrupted() && !is_reference(*entry.variant)) verify(entry, args_.size() - 1);
        const bool last = static_cast<int>(row.samples.size()) + 1 == row.repetitions;
        const std::string damage = last || !session.in_order() ? arena_->damage() : "";
        if (!damage.empty()) blame(row, damage);
      } catch (const std::exception& error) {
        row.give_up(Status::kError, error.what());
      }
    }
    if (row.measurable() && !interrupted()) {
      row.samples.push_back(std::move(sample));
    } else {
      skip(state, entered, row.measurable() ? "interrupted" : row.reason);
    }
    if (row.status == Status::kMistrusted) state.SetLabel("mistrusted: " + row.reason);
    session.repetition_ended(row);
  }

  /// Google Benchmark aborts when repetitions differ in their iterations, and a loop never entered has none.
  static void skip(benchmark::State& state, bool entered, const std::string& why) {
    if (!entered) state.KeepRunning();
    state.SkipWithError(why.c_str());
  }

  /// Every copy once, and for long enough that threads are awake and in their places; but no row for too
  /// long.
  void warm_up(Session& session, const Entry& entry) const {
    if (timed_by_device(entry)) return;  // its timer does that
    constexpr std::chrono::milliseconds kLeast{2}, kMost{20};
    constexpr std::size_t kMostCalls = 100000;  // should the clock stand still
    const auto start = session.now();
    std::size_t calls = 0;
    std::chrono::nanoseconds spent{0};
    while (calls < 2 || spent < kLeast || (calls < args_.size() && spent < kMost)) {
      if (interrupted() || calls == kMostCalls) return;
      entry.variant->run(problem_, entry.args[calls++ % args_.size()]);
      spent = session.now() - start;
    }
  }

  /// Two readings of the clock around all calls of a repetition.
  Sample measure(benchmark::State& state, const Session& session, const Entry& entry) const {
    const auto run = entry.variant->run;
    const std::int64_t calls = entry.row->iterations;
    Sample sample;
    if (entry.on_device() && cuda_facts().emulated) state.SetLabel("emulated: no measurement");
    reset_stages(entry.args);
    while (state.KeepRunningBatch(calls)) {
      const NvtxRange range(entry.row->benchmark.c_str());
      std::size_t copy = 0;
      const auto start = session.now();
      for (std::int64_t call = 0; call < calls; ++call) {
        run(problem_, entry.args[copy]);
        if (++copy == entry.args.size()) copy = 0;
        if (interrupted()) return sample;
      }
      sample.seconds = std::chrono::duration<double>(session.now() - start).count();
      state.SetIterationTime(sample.seconds);
    }
    set_rates(state, calls);
    sample.counters = stage_counters(entry.args, calls);
    for (const auto& [name, value] : sample.counters) state.counters[name] = value;
    return sample;
  }

  /// All calls of a repetition, one behind the other on the device, by its own clock.
  Sample measure_on_device(benchmark::State& state, Session& session, Entry& entry) const {
    const std::int64_t calls = entry.row->iterations;
    Row& row = *entry.row;
    Sample sample;
    if (session.accelerator().emulated()) state.SetLabel("emulated: no measurement");
    if (row.samples.empty()) {
      row.launches = session.accelerator().launches([&] { entry.variant->run(problem_, entry.args[0]); });
    }
    while (state.KeepRunningBatch(calls)) {
      const NvtxRange range(row.benchmark.c_str());
      const DeviceTiming timing = time_unthrottled(
          session.accelerator(), entry.how,
          [&] {
            for (std::int64_t call = 0; call < calls; ++call) {
              entry.variant->run(problem_, entry.args[static_cast<std::size_t>(call) % entry.args.size()]);
            }
          },
          [&](int milliseconds) { session.pause(std::chrono::milliseconds(milliseconds)); });
      sample.seconds = timing.seconds;
      state.SetIterationTime(sample.seconds);
      row.timing = microbench::name_of(entry.how);
      row.discarded += timing.discarded;
      if (timing.clock_share > 0 && (row.clock_share == 0 || timing.clock_share < row.clock_share)) {
        row.clock_share = timing.clock_share;
      }
      if (timing.throttled) {
        row.give_up(Status::kMistrusted,
                    fmt::format("throttled: the device ran at {:.0f} % of its clock, {} times in a row",
                                100 * timing.clock_share, 1 + timing.discarded));
      }
    }
    set_rates(state, calls);
    return sample;
  }

  void set_rates(benchmark::State& state, std::int64_t calls) const {
    state.SetBytesProcessed(
        static_cast<std::int64_t>(static_cast<double>(calls) * (cost_.bytes_read + cost_.bytes_written)));
    if (cost_.flops > 0) {
      state.counters["flops"] =
          benchmark::Counter(cost_.flops, benchmark::Counter::kIsIterationInvariantRate);
    }
  }

  /// What others of the group would be measured on is no longer what they were checked on.
  void blame(Row& culprit, const std::string& damage) {
    for (Entry& entry : entries_) {
      if (entry.row->measurable()) {
        entry.row->give_up(Status::kError, fmt::format("not measured: {} {}", culprit.variant, damage));
      }
    }
    culprit.give_up(Status::kFail, "check failed: " + damage);
  }

  Problem problem_;
  Cost cost_;
  std::optional<Arena> arena_;
  std::vector<Args> args_;    // by copy
  std::vector<Args> wanted_;  // by reference, then copy
  std::vector<typename Variant::Fn*> references_;
  std::vector<Entry> entries_;
};

}  // namespace trisect::microbench
