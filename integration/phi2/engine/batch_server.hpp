// Continuous batching: requests come and go while others decode, in one KV cache with a limit.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "integration/phi2/engine/engine.hpp"

namespace trisect::phi2 {

/// Time is counted in decode steps, so that what is served does not depend on how fast the machine is.
struct Request {
  int arrival = 0;                   ///< the first step at which it may start
  std::vector<std::int32_t> prompt;  ///< not empty
  int output = 1;                    ///< tokens to generate, greedily, at least 1
};

enum class Outcome { kWaiting, kRunning, kFinished, kRefused };

struct Served {
  Outcome outcome = Outcome::kWaiting;
  std::vector<std::int32_t> ids;  ///< generated so far
  int started = -1;               ///< step at which it was first admitted
  int preemptions = 0;            ///< times it lost its memory and was computed again
};

/// Serves requests in the order of their arrival. Each step() admits what fits, prefilling it on its own, and
/// then decodes one token of every running request together. Memory is asked of the cache before a step
/// (KvCache::demand, available): when the running ones cannot all go on, the last admitted gives its slot
/// back and starts over later, prompt and generated tokens together, as in vLLM. A request that would not fit
/// even alone is refused.
class BatchServer {
 public:
  /// Borrows engine and cache; the cache is kv_options() of the engine's model, and empty. The engine's steps
  /// take at least as many rows as the cache has slots. Throws Error(kUsage) for an empty prompt or output.
  BatchServer(Engine& engine, vattention::KvCache& cache, std::vector<Request> requests);
  ~BatchServer();
  BatchServer(const BatchServer&) = delete;
  BatchServer& operator=(const BatchServer&) = delete;

  bool done() const { return waiting_.empty() && running_.empty() && next_ == requests_.size(); }

  struct Step {
    int number = 0;                            ///< steps in which there was nothing to do are left out
    int admitted = 0, decoded = 0, ended = 0;  ///< requests
    double prefill_s = 0, decode_s = 0;
  };
  /// Throws what the cache throws when memory is refused that it had promised.
  Step step();

  const std::vector<Served>& served() const { return served_; }
  int running() const { return static_cast<int>(running_.size()); }

 private:
  struct Running {
    std::size_t request;
    int slot, length;  ///< tokens in the cache
  };

  void arrive();
  bool fits_alone(std::size_t request) const;
  int tokens_of(std::size_t request) const;
  bool admit_next(Step& step);
  void prefill(Running& running);
  void make_room();
  void decode(Step& step);
  void end_finished(Step& step);

  Engine& engine_;
  vattention::KvCache& cache_;
  std::vector<Request> requests_;  // by arrival
  std::vector<std::size_t> order_;
  std::vector<Served> served_;
  const std::size_t limit_;  // bytes that one request can have at most
  std::size_t next_ = 0;     // of order_, to arrive
  std::deque<std::size_t> waiting_;
  std::vector<Running> running_;  // in the order of admission
  int now_ = 0;
};

}  // namespace trisect::phi2
