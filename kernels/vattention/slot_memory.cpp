#include "kernels/vattention/slot_memory.hpp"

#include <algorithm>
#include <utility>

#include "kernels/core/error.hpp"

namespace trisect::vattention {
namespace {

/// Of keys or values: the most that the worker does to a slot before it lets a sequence have it.
constexpr std::size_t kPiece = std::size_t{1} << 20;

template <class Work>
void unlocked(SlotMemory::Lock& lock, const Work& work) {
  lock.unlock();
  try {
    work();
  } catch (...) {
    lock.lock();
    throw;
  }
  lock.lock();
}

}  // namespace

/// Marks a slot that nobody else may work on, even while the lock is released.
class SlotMemory::Busy {
 public:
  Busy(SlotMemory& memory, Slot& slot) : memory_(memory), slot_(slot) { slot_.busy = true; }
  ~Busy() {
    slot_.busy = false;
    memory_.signal();
  }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;

 private:
  SlotMemory& memory_;
  Slot& slot_;
};

SlotMemory::SlotMemory(const KvOptions& options, int slots, std::size_t slot_bytes)
    : options_(options),
      slots_(static_cast<std::size_t>(slots)),
      keys_(slots, slot_bytes, options.granule, options.device),
      values_(slots, slot_bytes, options.granule, options.device) {}

void SlotMemory::await(Lock& lock, int index) {
  done_.wait(lock, [&] { return !slot(index).busy; });
}

bool SlotMemory::has_room(int index, std::size_t to) const {
  const std::size_t committed = slots_[static_cast<std::size_t>(index)].committed;
  return committed_ + 2 * (to - std::min(to, committed)) <= options_.budget;
}

void SlotMemory::raise(Lock& lock, int index, std::size_t to, Whose need) {
  Slot& it = slot(index);
  const Busy busy(*this, it);
  const std::size_t clean = it.clean, committed = it.committed, more = to - std::min(to, committed);
  if (more > 0) make_room(lock, 2 * more);
  const std::size_t stale = std::min(to, it.stale), wipe = stale - std::min(stale, clean);
  committed_ += 2 * more;  // now, so that nobody else counts on it
  peak_ = std::max(peak_, committed_);
  try {
    unlocked(lock, [&] {
      keys_.await(it.last_use);
      keys_.zero(keys_.segment(index) + clean, wipe);
      values_.zero(values_.segment(index) + clean, wipe);
    });
    if (more > 0) commit(lock, index, committed, to, need);
    unlocked(lock, [&] { keys_.await(keys_.now()); });  // whatever stream the sequence's kernels are on
  } catch (...) {
    committed_ -= 2 * more;
    keys_.trim();
    values_.trim();
    throw;
  }
  std::uint64_t& count = need == Whose::kWorker ? work_.background_commits : work_.commits;
  work_.wiped_bytes += 2 * wipe;
  count += more > 0 ? 2 : 0;
  it.clean = to;
  it.committed += more;
}

void SlotMemory::commit(Lock& lock, int index, std::size_t first, std::size_t last, Whose need) {
  for (;;) {
    try {
      return unlocked(lock, [&] { commit(index, first, last); });
    } catch (const Error&) {
      if (need == Whose::kWorker) throw;
      if (!return_from(lock, fullest(), 2 * (last - first), Decommit::kReturn)) throw;
    }
  }
}

void SlotMemory::commit(int index, std::size_t first, std::size_t last) {
  keys_.commit(index, first, last);
  try {
    values_.commit(index, first, last);
  } catch (...) {
    keys_.decommit(index, first, last);
    throw;
  }
}

/// Makes the budget hold `more` bytes: from what is parked, then from what others hold ahead of need.
void SlotMemory::make_room(Lock& lock, std::size_t more) {
  while (committed_ + more > options_.budget) {
    if (return_from(lock, fullest(), committed_ + more - options_.budget, Decommit::kKeep)) continue;
    bool shrunk = false;
    for (Slot& it : slots_) shrunk |= !it.busy && std::exchange(it.target, it.needed) > it.needed;
    if (shrunk) continue;
    const auto in_progress = [&] {
      return std::count_if(slots_.begin(), slots_.end(), [](const Slot& it) { return it.busy; }) > 1;
    };
    if (in_progress()) {  // the worker's; ours is the other one
      done_.wait(lock, [&] { return !in_progress(); });
      continue;
    }
    keys_.trim();
    values_.trim();
    environment_error("the KV budget of {} bytes has {} left, and a sequence needs {} more", options_.budget,
                      options_.budget - committed_, more);
  }
}

std::size_t SlotMemory::parked() const {
  std::size_t sum = 0;
  for (const Slot& it : slots_) sum += 2 * it.parked();
  return sum;
}

/// The slot nobody works on that has the most parked memory; -1 when none has any.
int SlotMemory::fullest() const {
  int best = -1;
  for (int index = 0; index < keys_.segments(); ++index) {
    const Slot& it = slots_[static_cast<std::size_t>(index)];
    if (it.busy || it.parked() == 0) continue;
    if (best < 0 || it.parked() > slots_[static_cast<std::size_t>(best)].parked()) best = index;
  }
  return best;
}

/// Decommits parked memory of fullest(), as much as makes up for `bytes` where it has that. False without a
/// slot.
bool SlotMemory::return_from(Lock& lock, int index, std::size_t bytes, Decommit how) {
  if (index < 0) return false;
  Slot& it = slot(index);
  const Busy busy(*this, it);
  const std::size_t give = std::min(it.parked(), keys_.round_up((bytes + 1) / 2));
  const std::size_t left = it.committed - give;
  it.stale = std::min(it.stale, left);
  it.clean = std::min(it.clean, left);  // before the lock goes: its sequence must not take this for its own
  unlocked(lock, [&] {
    keys_.await(it.last_use);
    keys_.decommit(index, left, left + give, how);
    values_.decommit(index, left, left + give, how);
  });
  it.committed = left;
  committed_ -= 2 * give;
  work_.decommits += 2;
  return true;
}

bool SlotMemory::return_parked(Lock& lock) {
  const std::size_t now = parked();
  return now > options_.parked_budget &&
         return_from(lock, fullest(), std::min(2 * kPiece, now - options_.parked_budget), Decommit::kReturn);
}

bool SlotMemory::raise_one(Lock& lock) {
  int best = -1;
  std::size_t most = 0;
  for (int index = 0; index < keys_.segments(); ++index) {
    const Slot& it = slot(index);
    if (it.busy || it.clean >= it.target || it.target - it.clean <= most) continue;
    best = index;
    most = it.target - it.clean;
  }
  if (best < 0) return false;
  Slot& it = slot(best);
  const std::size_t to = std::min(it.target, it.clean + keys_.round_up(kPiece));
  // Running ahead is no reason to take memory from others, nor to fail: the sequence asks again when it gets
  // there.
  if (!has_room(best, to)) {
    it.target = it.clean;
    return true;
  }
  try {
    raise(lock, best, to, Whose::kWorker);
  } catch (const Error&) {
    it.target = std::min(it.target, it.clean);
  }
  return true;
}

bool SlotMemory::has_work() const {
  return (parked() > options_.parked_budget && fullest() >= 0) ||
         std::any_of(slots_.begin(), slots_.end(),
                     [](const Slot& it) { return !it.busy && it.clean < it.target; });
}

bool SlotMemory::any_busy() const {
  return std::any_of(slots_.begin(), slots_.end(), [](const Slot& it) { return it.busy; });
}

KvUsage SlotMemory::usage() const {
  return {.reserved = keys_.reserved() + values_.reserved(),
          .committed = committed_,
          .parked = parked(),
          .peak = peak_};
}

}  // namespace trisect::vattention
