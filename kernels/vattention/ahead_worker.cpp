#include "kernels/vattention/ahead_worker.hpp"

#include <pthread.h>
#include <sched.h>

#include <chrono>
#include <fstream>
#include <utility>

#include "kernels/core/error.hpp"

namespace trisect::vattention {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

cpu_set_t processors_of_thread() {
  cpu_set_t mine;
  CPU_ZERO(&mine);
  sched_getaffinity(0, sizeof mine, &mine);
  return mine;
}

const cpu_set_t kAtStart = processors_of_thread();  // before the team was bound

/// Adds those that share the last-level cache of `processor`: what the worker writes there, the team need not
/// fetch, and memory that it touches first is memory of the same node.
void add_neighbours(std::size_t processor, cpu_set_t& to) {
  std::ifstream list(fmt::format("/sys/devices/system/cpu/cpu{}/cache/index3/shared_cpu_list", processor));
  for (std::size_t first = 0, last = 0; list >> first; list.ignore()) {  // such as 0-7,64-71
    last = first;
    if (list.peek() == '-') list.ignore() >> last;
    for (; first <= last; ++first) CPU_SET(first, &to);
  }
}

/// Where the team's threads may run, each on a processor of its own, and what the process may use beside
/// them. A new thread inherits its maker's: the worker would share that one with the step it is to overlap
/// with.
cpu_set_t processors_for_worker() {
  cpu_set_t team;
  CPU_ZERO(&team);
#pragma omp parallel
  {
    const cpu_set_t mine = processors_of_thread();
#pragma omp critical(trisect_vattention_processors)
    CPU_OR(&team, &team, &mine);
  }
  cpu_set_t all = team, near;
  CPU_ZERO(&near);
  for (std::size_t i = 0; i < CPU_SETSIZE; ++i) {
    if (CPU_ISSET(i, &team) && !CPU_ISSET(i, &near)) add_neighbours(i, near);
  }
  CPU_AND(&near, &near, &kAtStart);
  CPU_OR(&all, &all, &near);
  return all;
}

}  // namespace

AheadWorker::AheadWorker(SlotMemory& memory, bool threaded) : memory_(memory) {
  if (!threaded) return;
  const cpu_set_t processors = processors_for_worker();
  thread_ = std::thread([this] { work(); });
  pthread_setaffinity_np(thread_.native_handle(), sizeof processors,
                         &processors);  // else it works where it is
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
