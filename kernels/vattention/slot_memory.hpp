// The memory behind vattention's slots: what is committed, whose it was, and what the budgets leave.
//
// Bytes of a slot, of keys and values alike:
//   [0, clean)           the sequence's: written by it, or zero
//   [clean, committed)   memory that an earlier sequence has written up to `stale`; wiped before the sequence
//                        gets there
//   [committed, ...)     addresses
#pragma once

#include <condition_variable>
#include <mutex>
#include <vector>

#include "kernels/vattention/kv_cache.hpp"

namespace trisect::vattention {

/// For the sequences' thread and one that works ahead of it. All state is under one lock, which is handed
/// through; whoever works on a slot marks it busy and lets go of the lock: the kernel takes its time, the
/// others theirs.
class SlotMemory {
 public:
  using Lock = std::unique_lock<std::mutex>;

  struct Slot {
    std::size_t clean = 0, stale = 0, committed = 0;  // see above
    std::size_t needed = 0;                           // by the tokens it has or is about to get
    std::size_t target = 0;                           // what the worker works towards; 0 when not taken
    VirtualRange::Moment last_use;                    // by the sequence before
    bool busy = false;

    std::size_t parked() const { return committed - std::min(committed, std::max(needed, target)); }
  };

  /// `slot_bytes` of keys, and as many of values, a slot. Borrows the options.
  SlotMemory(const KvOptions& options, int slots, std::size_t slot_bytes);

  Lock lock() const { return Lock(mutex_); }
  Slot& slot(int index) { return slots_[static_cast<std::size_t>(index)]; }
  const VirtualRange& keys() const { return keys_; }
  const VirtualRange& values() const { return values_; }

  /// Until nobody works on the slot; until done() was signalled and the predicate holds.
  void await(Lock& lock, int index);
  template <class Predicate>
  void await(Lock& lock, Predicate predicate) const {
    done_.wait(lock, predicate);
  }
  void signal() const { done_.notify_all(); }

  enum class Whose { kSequence, kWorker };
  /// Raises `clean` of a slot that is not busy, by wiping and by committing. Throws when the kernel or the
  /// budget refuses, and changes nothing; where a sequence needs it, not before what is parked has gone back.
  void raise(Lock& lock, int index, std::size_t to, Whose need);
  /// Whether the budget has room for a slot to be committed up to `to`, as things are.
  bool has_room(int index, std::size_t to) const;

  // One step of what can be done ahead; false when there is nothing.
  bool raise_one(Lock& lock);      ///< a piece of the way, for the slot that has the most to go
  bool return_parked(Lock& lock);  ///< towards the parked budget
  bool has_work() const;
  bool any_busy() const;

  // Under the lock:
  KvUsage usage() const;
  const KvWork& work() const { return work_; }
  void count_background(double seconds) { work_.background_s += seconds; }

 private:
  class Busy;

  std::size_t parked() const;
  int fullest() const;
  void make_room(Lock& lock, std::size_t more);
  bool return_from(Lock& lock, int index, std::size_t bytes, Decommit how);
  void commit(Lock& lock, int index, std::size_t first, std::size_t last, Whose need);
  void commit(int index, std::size_t first, std::size_t last);

  const KvOptions& options_;
  std::vector<Slot> slots_;
  VirtualRange keys_, values_;
  std::size_t committed_ = 0, peak_ = 0;
  KvWork work_;
  mutable std::mutex mutex_;              // over everything above but the ranges' memory
  mutable std::condition_variable done_;  // a slot is no longer busy, or the worker has nothing left
};

}  // namespace trisect::vattention
