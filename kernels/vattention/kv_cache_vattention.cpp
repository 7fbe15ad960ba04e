// A slot is a stretch of addresses for the maximum length, [run][layer][token][heads * head_dim], with
// memory behind what the sequence has reached and a little ahead of it. Layers lie interleaved, so that one
// step of growth is two commits (keys, values) and not two for each layer. On the CPU they do so by
// runs of a few tokens: one row alone ends just when the processor's prefetching has begun, and it goes on
// into what belongs to another layer.
//
// Bytes of a slot, of keys and values alike:
//   [0, clean)          the sequence's: written by it, or zero
//   [clean, committed)  memory that an earlier sequence has written up to `stale`; wiped before the sequence
//   gets there [committed, ...)    addresses
// A worker raises `clean` to `target`, ahead of the sequence, and returns what is parked beyond its budget.
// Whoever works on a slot marks it busy and lets go of the lock: the kernel takes its time, the others
// theirs.
#include <sched.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include "kernels/core/error.hpp"
#include "kernels/vattention/kv_cache.hpp"

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

class VattentionKvCache : public KvCache {
 public:
  explicit VattentionKvCache(const KvOptions& options)
      : KvCache(options),
        run_(options.device == Device::kCpu ? kRunTokens : 1),
        slots_state_(static_cast<std::size_t>(slots())),
        keys_(slots(), bytes(options.tokens), options.granule, options.device),
        values_(slots(), bytes(options.tokens), options.granule, options.device) {
    if (!options.background) return;
    worker_ = std::thread([this, processors = processors_of_team()] {
      sched_setaffinity(0, sizeof processors, &processors);  // else it works where it is
      work_ahead();
    });
  }

  ~VattentionKvCache() override {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    if (worker_.joinable()) worker_.join();
  }

  dense::KvSpan layer(int index) const override {
    const auto run = static_cast<std::size_t>(run_);
    const std::size_t row = options_.shape.row_bytes(), offset = row * run * static_cast<std::size_t>(index);
    dense::KvSpan span{.k = keys_.segment(0) + offset,
                       .v = values_.segment(0) + offset,
                       .slot = static_cast<std::int64_t>(keys_.stride()),
                       .token = static_cast<std::int64_t>(run_ > 1 ? row : token_bytes_),
                       .dtype = options_.shape.dtype};
    if (run_ > 1) {
      span.page_tokens = run_;
      span.page = static_cast<std::int64_t>(token_bytes_ * run);
    }
    return span;
  }

  /// What runs ahead or is parked can be had: only what sequences have reached counts.
  std::size_t demand(int slot, int tokens) const override {
    const std::size_t have = slot == kNewSlot ? 0 : needed(length(slot));
    return 2 * (std::max(needed(tokens), have) - have);
  }
  std::size_t available() const override {
    std::size_t held = 0;
    for (int slot = 0; slot < slots(); ++slot) held += 2 * needed(length(slot));
    return options_.budget - held;
  }

  void settle() const override {
    std::unique_lock lock(mutex_);
    done_.wait(lock, [&] { return idle(); });
  }

  std::size_t resident() const override { return keys_.resident() + values_.resident(); }

 protected:
  /// The least memory that holds the whole sequence, else the most there is.
  int choose(int max_tokens) override {
    std::unique_lock lock(mutex_);
    const std::size_t want = needed(max_tokens);
    int best = -1;
    for (int slot = 0; slot < slots(); ++slot) {
      if (sequence(slot).taken) continue;
      if (best < 0) {
        best = slot;
        continue;
      }
      const std::size_t mine = state(slot).committed, its = state(best).committed;
      if (mine >= want ? its < want || mine < its : mine > its) best = slot;
    }
    await(lock, best);
    state(best).clean = 0;
    return best;
  }

  void grow(int slot, int, int to) override {
    std::unique_lock lock(mutex_);
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
    Slot& it = state(slot);
    it.needed = needed(to);
    const std::size_t ahead = needed(ahead_of(slot, to, options_.ahead_tokens));
    if (it.clean < it.needed) {
      await(lock, slot);
      // Without a worker, ahead in one go: a call for every few tokens instead of each.
      if (it.clean < it.needed) {
        const bool room = committed_ + 2 * (ahead - std::min(ahead, it.committed)) <= options_.budget;
        raise(lock, slot, !options_.background && room ? ahead : it.needed, Whose::kSequence);
      }
    }
    // In halves of what lies ahead: a commit for every few tokens, and the worker sleeps in between.
    if (it.clean < needed(ahead_of(slot, to, options_.ahead_tokens / 2))) it.target = ahead;
    it.target = std::max(it.target, it.needed);
    hand_over(lock);
  }

  void drop(int slot, int length) override {
    std::unique_lock lock(mutex_);
    await(lock, slot);
    Slot& it = state(slot);
    it.stale = std::max(it.stale, std::min(it.committed, bytes(length)));
    it.last_use = keys_.now();
    it.clean = it.needed = it.target = 0;
    hand_over(lock);
  }

  KvUsage memory() const override {
    const std::lock_guard lock(mutex_);
    return {.reserved = keys_.reserved() + values_.reserved(),
            .committed = committed_,
            .parked = parked(),
            .peak = peak_};
  }
  KvWork policy_work() const override {
    const std::lock_guard lock(mutex_);
    return work_;
  }

 private:
  /// Of keys or values: the most that the worker does to a slot before it lets a sequence have it.
  static constexpr std::size_t kPiece = std::size_t{1} << 20;

  struct Slot {
    std::size_t clean = 0, stale = 0, committed = 0;  // see above
    std::size_t needed = 0;                           // by the tokens it has or is about to get
    std::size_t target = 0;                           // what the worker works towards; 0 when not taken
    VirtualRange::Moment last_use;                    // by the sequence before
    bool busy = false;

    std::size_t parked() const { return committed - std::min(committed, std::max(needed, target)); }
  };
  using Lock = std::unique_lock<std::mutex>;

  Slot& state(int slot) { return slots_state_[static_cast<std::size_t>(slot)]; }
  /// Of keys or values: up to the end of the run that has the last of `tokens`.
  std::size_t bytes(int tokens) const {
    return token_bytes_ * static_cast<std::size_t>((tokens + run_ - 1) / run_ * run_);
  }
  std::size_t needed(int tokens) const { return keys_.round_up(bytes(tokens)); }

  /// Tokens that a slot of `to` has memory for when it has some for at most `ahead` more: whole runs.
  int ahead_of(int slot, int to, int ahead) const {
    return std::min(std::max(to, (to + ahead) / run_ * run_), sequence(slot).max_tokens);
  }
  std::size_t parked() const {
    std::size_t sum = 0;
    for (const Slot& slot : slots_state_) sum += 2 * slot.parked();
    return sum;
  }

  void await(Lock& lock, int slot) {
    done_.wait(lock, [&] { return !state(slot).busy; });
  }

  /// Marks a slot that nobody else may work on, even while the lock is released.
  class Busy {
   public:
    Busy(VattentionKvCache& cache, Slot& slot) : cache_(cache), slot_(slot) { slot_.busy = true; }
    ~Busy() {
      slot_.busy = false;
      cache_.done_.notify_all();
    }
    Busy(const Busy&) = delete;
    Busy& operator=(const Busy&) = delete;

   private:
    VattentionKvCache& cache_;
    Slot& slot_;
  };

  template <class Work>
  static void unlocked(Lock& lock, const Work& work) {
    lock.unlock();
    try {
      work();
    } catch (...) {
      lock.lock();
      throw;
    }
    lock.lock();
  }

  enum class Whose { kSequence, kWorker };

  /// Raises `clean` of a slot that is not busy, by wiping and by committing. Throws when the kernel or the
  /// budget refuses, and changes nothing; where a sequence needs it, not before what is parked has gone back.
  void raise(Lock& lock, int index, std::size_t to, Whose need) {
    Slot& slot = state(index);
    const Busy busy(*this, slot);
    const std::size_t clean = slot.clean, committed = slot.committed, more = to - std::min(to, committed);
    if (more > 0) make_room(lock, 2 * more);
    const std::size_t stale = std::min(to, slot.stale), wipe = stale - std::min(stale, clean);
    committed_ += 2 * more;  // now, so that nobody else counts on it
    peak_ = std::max(peak_, committed_);
    try {
      unlocked(lock, [&] {
        keys_.await(slot.last_use);
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
    slot.clean = to;
    slot.committed += more;
  }

  void commit(Lock& lock, int index, std::size_t first, std::size_t last, Whose need) {
    for (;;) {
      try {
        return unlocked(lock, [&] { commit(index, first, last); });
      } catch (const Error&) {
        if (need == Whose::kWorker) throw;
        if (!return_from(lock, fullest(), 2 * (last - first), Decommit::kReturn)) throw;
      }
    }
  }

  void commit(int index, std::size_t first, std::size_t last) {
    keys_.commit(index, first, last);
    try {
      values_.commit(index, first, last);
    } catch (...) {
      keys_.decommit(index, first, last);
      throw;
    }
  }

  /// Makes the budget hold `more` bytes: from what is parked, then from what others hold ahead of need.
  void make_room(Lock& lock, std::size_t more) {
    while (committed_ + more > options_.budget) {
      if (return_from(lock, fullest(), committed_ + more - options_.budget, Decommit::kKeep)) continue;
      bool shrunk = false;
      for (Slot& slot : slots_state_)
        shrunk |= !slot.busy && std::exchange(slot.target, slot.needed) > slot.needed;
      if (shrunk) continue;
      const auto in_progress = [&] {
        return std::count_if(slots_state_.begin(), slots_state_.end(),
                             [](const Slot& slot) { return slot.busy; }) > 1;
      };
      if (in_progress()) {  // the worker's; ours is the other one
        done_.wait(lock, [&] { return !in_progress(); });
        continue;
      }
      keys_.trim();
      values_.trim();
      environment_error("the KV budget of {} bytes has {} left, and a sequence needs {} more",
                        options_.budget, options_.budget - committed_, more);
    }
  }

  /// The slot nobody works on that has the most parked memory; -1 when none has any.
  int fullest() const {
    int best = -1;
    for (int index = 0; index < slots(); ++index) {
      const Slot& slot = slots_state_[static_cast<std::size_t>(index)];
      if (slot.busy || slot.parked() == 0) continue;
      if (best < 0 || slot.parked() > slots_state_[static_cast<std::size_t>(best)].parked()) best = index;
    }
    return best;
  }

  /// Decommits parked memory of fullest(), as much as makes up for `bytes` where it has that. False without a
  /// slot.
  bool return_from(Lock& lock, int index, std::size_t bytes, Decommit how) {
    if (index < 0) return false;
    Slot& slot = state(index);
    const Busy busy(*this, slot);
    const std::size_t give = std::min(slot.parked(), keys_.round_up((bytes + 1) / 2));
    const std::size_t left = slot.committed - give;
    slot.stale = std::min(slot.stale, left);
    slot.clean =
        std::min(slot.clean, left);  // before the lock goes: its sequence must not take this for its own
    unlocked(lock, [&] {
      keys_.await(slot.last_use);
      keys_.decommit(index, left, left + give, how);
      values_.decommit(index, left, left + give, how);
    });
    slot.committed = left;
    committed_ -= 2 * give;
    work_.decommits += 2;
    return true;
  }

  /// One step towards the parked budget; false when it is kept.
  bool return_parked(Lock& lock) {
    const std::size_t now = parked();
    return now > options_.parked_budget &&
           return_from(lock, fullest(), std::min(2 * kPiece, now - options_.parked_budget),
                       Decommit::kReturn);
  }

  /// What is left to do is the worker's, or done at once. It is not woken for nothing: it shares its
  /// processor with a thread of the step.
  void hand_over(Lock& lock) {
    if (!options_.background) {
      while (return_parked(lock)) {
      }
    } else if (has_work()) {
      wake_.notify_all();
    }
  }

  // ---- the worker ----

  bool has_work() const {
    if (failure_) return false;
    return (parked() > options_.parked_budget && fullest() >= 0) ||
           std::any_of(slots_state_.begin(), slots_state_.end(),
                       [](const Slot& slot) { return !slot.busy && slot.clean < slot.target; });
  }

  bool idle() const {
    return !options_.background || (!has_work() && std::none_of(slots_state_.begin(), slots_state_.end(),
                                                                [](const Slot& slot) { return slot.busy; }));
  }

  void work_ahead() {
    Lock lock(mutex_);
    while (!stop_) {
      const auto start = Clock::now();
      bool worked = false;
      try {
        worked = !failure_ && (raise_one(lock) || return_parked(lock));
      } catch (const Error&) {
        failure_ = std::current_exception();
      }
      work_.background_s += worked ? seconds_since(start) : 0;
      if (worked) continue;
      done_.notify_all();
      wake_.wait(lock, [&] { return stop_ || has_work(); });
    }
  }

  /// A piece of the way for the slot that has the most to go.
  bool raise_one(Lock& lock) {
    int best = -1;
    std::size_t most = 0;
    for (int index = 0; index < slots(); ++index) {
      const Slot& slot = state(index);
      if (slot.busy || slot.clean >= slot.target || slot.target - slot.clean <= most) continue;
      best = index;
      most = slot.target - slot.clean;
    }
    if (best < 0) return false;
    Slot& slot = state(best);
    const std::size_t to = std::min(slot.target, slot.clean + keys_.round_up(kPiece));
    const std::size_t more = 2 * (to - std::min(to, slot.committed));
    // Running ahead is no reason to take memory from others, nor to fail: the sequence asks again when it
    // gets there.
    if (committed_ + more > options_.budget) {
      slot.target = slot.clean;
      return true;
    }
    try {
      raise(lock, best, to, Whose::kWorker);
    } catch (const Error&) {
      slot.target = std::min(slot.target, slot.clean);
    }
    return true;
  }

  const int run_;  // tokens of a layer side by side
  std::vector<Slot> slots_state_;
  VirtualRange keys_, values_;
  std::size_t committed_ = 0, peak_ = 0;
  KvWork work_;
  bool stop_ = false;
  std::exception_ptr failure_;            // of the worker: the next growth reports it
  mutable std::mutex mutex_;              // over everything above but the ranges' memory
  std::condition_variable wake_;          // of the worker
  mutable std::condition_variable done_;  // a slot is no longer busy, or the worker has nothing left
  std::thread worker_;
};

}  // namespace

std::unique_ptr<KvCache> make_vattention_kv_cache(const KvOptions& options) {
  return std::make_unique<VattentionKvCache>(options);
}

}  // namespace trisect::vattention
