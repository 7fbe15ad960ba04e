#include "kernels/vattention/ahead_worker.hpp"

#include <sched.h>

#include <chrono>
#include <utility>

#include "kernels/core/error.hpp"

namespace trisect::vattention {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Where the team's threads may run, each on a processor of its own. A new thread inherits its maker's: the
/// worker would share that one with the step it is to overlap with.
cpu_set_t processors_of_team() {
  cpu_set_t all;
  CPU_ZERO(&all);
#pragma omp parallel
  {
    cpu_set_t mine;
    if (sched_getaffinity(0, sizeof mine, &mine) == 0) {
#pragma omp critical(trisect_vattention_processors)
      CPU_OR(&all, &all, &mine);
    }
  }
  return all;
}

}  // namespace

AheadWorker::AheadWorker(SlotMemory& memory, bool threaded) : memory_(memory) {
  if (!threaded) return;
  thread_ = std::thread([this, processors = processors_of_team()] {
    sched_setaffinity(0, sizeof processors, &processors);  // else it works where it is
    work();
  });
}

AheadWorker::~AheadWorker() {
  {
    const SlotMemory::Lock lock = memory_.lock();
    stop_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void AheadWorker::hand_over(SlotMemory::Lock& lock) {
  if (!thread_.joinable()) {
    while (memory_.return_parked(lock)) {
    }
  } else if (has_work()) {
    wake_.notify_all();
  }
}

void AheadWorker::report(const SlotMemory::Lock&) {
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

void AheadWorker::settle(SlotMemory::Lock& lock) const {
  memory_.await(lock, [&] { return !thread_.joinable() || (!has_work() && !memory_.any_busy()); });
}

void AheadWorker::work() {
  SlotMemory::Lock lock = memory_.lock();
  while (!stop_) {
    const auto start = Clock::now();
    bool worked = false;
    try {
      worked = !failure_ && (memory_.raise_one(lock) || memory_.return_parked(lock));
    } catch (const Error&) {
      failure_ = std::current_exception();
    }
    if (worked) {
      memory_.count_background(seconds_since(start));
      continue;
    }
    memory_.signal();
    wake_.wait(lock, [&] { return stop_ || has_work(); });
  }
}

}  // namespace trisect::vattention
