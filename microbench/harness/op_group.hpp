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

  OpGroup(const Problem& problem, int repetitions)
      : Group(fmt::format("{}/{}", Op::name, describe<Op>(problem))),
        problem_(problem),
        cost_(Op::cost(problem)) {
    for (const Variant& variant : Op::variants()) {
      Row row;
      row.group = name();
      row.op = Op::name;
      row.variant = variant.name;
      row.device = variant.device;
      if constexpr (requires { problem.dtype; }) row.dtype = trisect::name_of(problem.dtype);
      for (const auto& field : Op::fields) row.problem.emplace_back(field.name, problem.*field.member);
      row.cost = cost_;
      row.iterations = iterations(cost_, is_reference(variant));
      row.repetitions = repetitions;
      row.benchmark = benchmark_name(base_name(row), row.iterations, repetitions);
      if (const Availability yes = variant.available(problem); !yes) {
        row.give_up(Status::kSkipped, yes.why_not);
      } else if (is_reference(variant) && cost_.flops > kReferenceFlopLimit) {
        row.give_up(Status::kSkipped, "too slow to be timed; it only judges the others");
      }
      rows().push_back(std::make_unique<Row>(std::move(row)));
    }
  }

  void prepare() override {
    // A variant that damages the memory spoils it for the others: start over without it.
    do build();
    while (!check_all());
  }

  void register_benchmarks() override {
    for (Entry& entry : entries_) {
      benchmark::RegisterBenchmark(base_name(*entry.row).c_str(),
                                   [this, &entry](benchmark::State& state) { time(state, entry); })
          ->Iterations(entry.row->iterations)
          ->Repetitions(entry.row->repetitions)
          ->UseRealTime();
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
    std::vector<Args> args;  // by copy
  };

  static typename Variant::Fn* reference_of(const Variant& variant) {
    return variant.ref != nullptr ? variant.ref : Op::variants()[0].run;
  }
  static bool is_reference(const Variant& variant) { return variant.run == reference_of(variant); }
  std::string base_name(const Row& row) const {
    return fmt::format("{}/{}/{}", Op::name, row.variant, describe<Op>(problem_));
  }

  void build() {
    release();
    arena_.emplace(Seed{20260101});
    args_.push_back(Op::make(problem_, *arena_));
    const std::uint64_t available = memory_available_bytes();
    const Copies plan = plan_copies(cost_.bytes_read, arena_->input_bytes(), arena_->weight_bytes(),
                                    last_level_cache_bytes(), available / 4);
    const std::uint64_t more = (plan.count - 1) * (arena_->input_bytes() + arena_->weight_bytes());
    if (more > available)
      environment_error("{}: needs {} MB more memory, {} MB are available", name(), more / 1000000,
                        available / 1000000);
    while (args_.size() < plan.count && !interrupted()) {
      arena_->begin_copy();
      args_.push_back(Op::make(problem_, *arena_));
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
      entries_.push_back({row.get(), &*variant, reference, args_});
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
    const Check check = Op::check(problem_, entry.args[copy], wanted_[entry.reference * args_.size() + copy]);
    Row& row = *entry.row;
    row.check = row.check ? worse(*row.check, check) : check;
    if (check.status == CheckStatus::kFail) {
      row.give_up(Status::kFail, fmt::format("check failed: {} (copy {})", check.detail, copy));
    } else if (check.status == CheckStatus::kMistrusted) {
      row.give_up(Status::kMistrusted, check.detail);
    }
  }

  /// Google Benchmark calls this once for each repetition.
  void time(benchmark::State& state, Entry& entry) {
    Row& row = *entry.row;
    bool entered = false;
    if (row.measurable() && !interrupted()) {
      try {
        warm_up(entry);
        entered = true;
        measure(state, entry);
        // The last copy once more: what was timed must still compute, and must have kept to its own memory.
        if (!interrupted() && !is_reference(*entry.variant)) verify(entry, args_.size() - 1);
        const std::string damage = arena_->damage();
        if (!damage.empty()) blame(row, damage);
      } catch (const std::exception& error) {
        row.give_up(Status::kError, error.what());
      }
    }
    if (row.measurable() && !interrupted()) {
      ++row.completed;
    } else {
      skip(state, entered, row.measurable() ? "interrupted" : row.reason);
    }
    if (row.status == Status::kMistrusted) state.SetLabel("mistrusted: " + row.reason);
  }

  /// Google Benchmark aborts when repetitions differ in their iterations, and a loop never entered has none.
  static void skip(benchmark::State& state, bool entered, const std::string& why) {
    if (!entered) state.KeepRunning();
    state.SkipWithError(why.c_str());
  }

  void warm_up(const Entry& entry) const {
    using Clock = std::chrono::steady_clock;
    const auto end = Clock::now() + std::chrono::milliseconds(20);
    const std::size_t runs = std::max<std::size_t>(2, args_.size());
    std::size_t i = 0;
    do entry.variant->run(problem_, entry.args[i % args_.size()]);
    while (++i < runs && Clock::now() < end && !interrupted());
  }

  void measure(benchmark::State& state, const Entry& entry) const {
    const auto run = entry.variant->run;
    reset_stages(entry.args);
    std::size_t copy = 0;
    {
      const NvtxRange range(entry.row->benchmark.c_str());
      for (auto _ : state) {
        run(problem_, entry.args[copy]);
        if (++copy == entry.args.size()) copy = 0;
        if (interrupted()) return;
      }
    }
    const auto calls = static_cast<double>(state.iterations());
    state.SetBytesProcessed(static_cast<std::int64_t>(calls * (cost_.bytes_read + cost_.bytes_written)));
    if (cost_.flops > 0) {
      state.counters["flops"] =
          benchmark::Counter(cost_.flops, benchmark::Counter::kIsIterationInvariantRate);
    }
    count_stages(state, entry.args);
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
