// The thread that commits memory ahead of vattention's sequences, and returns what is parked beyond its
// budget, while they compute.
#pragma once

#include <condition_variable>
#include <exception>
#include <thread>

#include "kernels/vattention/slot_memory.hpp"

namespace trisect::vattention {

class AheadWorker {
 public:
  /// Borrows the memory. Without a thread of its own (`threaded` false) hand_over() returns what is parked
  /// itself.
  AheadWorker(SlotMemory& memory, bool threaded);
  ~AheadWorker();
  AheadWorker(const AheadWorker&) = delete;
  AheadWorker& operator=(const AheadWorker&) = delete;

  /// What is left to do is the worker's, or done at once. It is not woken for nothing: it shares its
  /// processor with a thread of the step.
  void hand_over(SlotMemory::Lock& lock);
  /// Throws what the worker had to give up with, once.
  void report(const SlotMemory::Lock& lock);
  void settle(SlotMemory::Lock& lock) const;  ///< waits until nothing is left to do

 private:
  bool has_work() const { return !failure_ && memory_.has_work(); }
  void work();

  SlotMemory& memory_;
  bool stop_ = false;           // all under the memory's lock
  std::exception_ptr failure_;  // the next growth reports it
  std::condition_variable wake_;
  std::thread thread_;
};

}  // namespace trisect::vattention
