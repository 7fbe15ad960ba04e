#include "kernels/core/threads.hpp"

#include <omp.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <vector>

#include "kernels/core/error.hpp"

namespace trisect {
namespace {

bool pinned = false;

std::vector<int> allowed_processors() {
  cpu_set_t set;
  std::vector<int> processors;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return processors;
  for (int i = 0; i < CPU_SETSIZE; ++i) {
    if (CPU_ISSET(i, &set)) processors.push_back(i);
  }
  return processors;
}

bool bind_to(int processor) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(processor, &set);
  return sched_setaffinity(0, sizeof set, &set) == 0;
}

}  // namespace

int pin_threads(int count) {
  const std::vector<int> processors = allowed_processors();
  const int available = std::max<int>(1, static_cast<int>(processors.size()));
  if (count < 0 || count > available) {
    usage_error("--threads {}: this process may use 1 to {} processors", count, available);
  }
  if (count == 0) count = std::getenv("OMP_NUM_THREADS") ? std::min(omp_get_max_threads(), available) : available;
  omp_set_dynamic(0);
  omp_set_num_threads(count);
  std::atomic<int> bound{0};
#pragma omp parallel num_threads(count)
  {
    const int i = omp_get_thread_num();
    if (i < static_cast<int>(processors.size()) && bind_to(processors[static_cast<std::size_t>(i)])) ++bound;
  }
  pinned = bound == count;
  return count;
}

bool threads_pinned() { return pinned; }
int thread_count() { return omp_get_max_threads(); }

Range split(long total, int part, int parts, long unit) {
  const long units = (total + unit - 1) / unit;
  const long first = units * part / parts * unit;
  const long last = units * (part + 1) / parts * unit;
  return {std::min(first, total), std::min(last, total)};
}

}  // namespace trisect
