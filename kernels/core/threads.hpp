// The OpenMP team that every CPU kernel, oneDNN's included, runs on.
#pragma once

#include <cstdint>

namespace trisect {

/// Fixes the team's size and binds thread i to the i-th processor this process may run on. `count` 0 means
/// OMP_NUM_THREADS if set, else every allowed processor. Call it once, from the main thread, before any kernel;
/// returns the size. Unpinned teams land on one core for a while and cost a factor of ten.
/// Throws Error(kUsage) when more threads are asked for than there are processors.
int pin_threads(int count = 0);

/// True once pin_threads() has bound every thread.
bool threads_pinned();

/// Size of the team that the next parallel region gets.
int thread_count();

/// Rows [first, last) of `total` that belong to `part` of `parts`, in multiples of `unit` except for the end.
struct Range {
  long first, last;
};
Range split(long total, int part, int parts, long unit = 1);

/// Bytes at least between what two threads write again and again: the processor's prefetching runs on from
/// one thread's into the other's, which then has to get its own back.
inline constexpr std::int64_t kBytesApart = 1024;

}  // namespace trisect
