#include "integration/phi2/engine/batch_server.hpp"

#include <algorithm>
#include <chrono>
#include <numeric>

#include "kernels/core/error.hpp"

namespace trisect::phi2 {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

BatchServer::BatchServer(Engine& engine, vattention::KvCache& cache, std::vector<Request> requests)
    : engine_(engine),
      cache_(cache),
      requests_(std::move(requests)),
      order_(requests_.size()),
      served_(requests_.size()),
      limit_(cache.available()) {
  for (const Request& request : requests_) {
    if (request.prompt.empty() || request.output < 1) {
      usage_error("a request of {} prompt and {} output tokens: both must be at least 1",
                  request.prompt.size(), request.output);
    }
  }
  if (engine.max_rows() < cache.slots()) {
    usage_error("{} KV slots decode together, and the engine takes {} rows at most", cache.slots(),
                engine.max_rows());
  }
  std::iota(order_.begin(), order_.end(), std::size_t{0});
  std::stable_sort(order_.begin(), order_.end(),
                   [&](std::size_t a, std::size_t b) { return requests_[a].arrival < requests_[b].arrival; });
}

BatchServer::~BatchServer() {
  for (const Running& one : running_) {
    try {
      cache_.release(one.slot);
    } catch (const Error&) {  // of giving memory back: the cache's next user will be told
    }
  }
}

BatchServer::Step BatchServer::step() {
  if (running_.empty() && waiting_.empty() && next_ < order_.size()) {
    now_ = std::max(now_, requests_[order_[next_]].arrival);
  }
  Step step{.number = now_};
  arrive();
  auto start = Clock::now();
  while (admit_next(step)) {
  }
  end_finished(step);  // of a single token
  step.prefill_s = seconds_since(start);
  start = Clock::now();
  make_room();
  decode(step);
  step.decode_s = seconds_since(start);
  end_finished(step);
  ++now_;
  return step;
}

void BatchServer::arrive() {
  for (; next_ < order_.size() && requests_[order_[next_]].arrival <= now_; ++next_)
    waiting_.push_back(order_[next_]);
}

/// Tokens in the cache when it is computed up to here.
int BatchServer::tokens_of(std::size_t request) const {
  return static_cast<int>(requests_[request].prompt.size() + served_[request].ids.size());
}

bool BatchServer::fits_alone(std::size_t request) const {
  // The last token generated is never written.
  const int tokens = static_cast<int>(requests_[request].prompt.size()) + requests_[request].output - 1;
  return tokens <= engine_.context() && cache_.demand(vattention::KvCache::kNewSlot, tokens) <= limit_;
}

bool BatchServer::admit_next(Step& step) {
  if (waiting_.empty()) return false;
  const std::size_t request = waiting_.front();
  Served& served = served_[request];
  if (!fits_alone(request)) {
    served.outcome = Outcome::kRefused;
    waiting_.pop_front();
    return true;
  }
  if (running() == cache_.slots()) return false;
  // Room for its tokens and one more of everybody: to be thrown out at once helps nobody.
  std::size_t demand = cache_.demand(vattention::KvCache::kNewSlot, tokens_of(request) + 1);
  for (const Running& one : running_) demand += cache_.demand(one.slot, one.length + 1);
  if (demand > cache_.available()) return false;
  waiting_.pop_front();
  const int tokens = static_cast<int>(requests_[request].prompt.size()) + requests_[request].output;
  Running& running =
      running_.emplace_back(Running{request, cache_.acquire(std::min(tokens, engine_.context())), 0});
  served.outcome = Outcome::kRunning;
  if (served.started < 0) served.started = now_;
  prefill(running);
  ++step.admitted;
  return true;
}

void BatchServer::prefill(Running& running) {
  Served& served = served_[running.request];
  std::vector<std::int32_t> tokens = requests_[running.request].prompt;
  tokens.insert(tokens.end(), served.ids.begin(), served.ids.end());
  const auto most = static_cast<std::size_t>(engine_.max_rows());
  std::int32_t next = 0;
  std::vector<std::int32_t> slots, positions;
  for (std::size_t first = 0; first < tokens.size(); first += most) {
    const auto block = std::span(tokens).subspan(first, std::min(most, tokens.size() - first));
    slots.assign(block.size(), running.slot);
    positions.resize(block.size());
    std::iota(positions.begin(), positions.end(), running.length);
    const bool is_last = first + block.size() == tokens.size();
    engine_.step({block, slots, positions}, cache_, Choice{}, {&next, is_last ? 1u : 0u});
    running.length += static_cast<int>(block.size());
  }
  served.ids.push_back(next);
}

void BatchServer::make_room() {
  const auto demand = [&] {
    std::size_t sum = 0;
    for (const Running& one : running_) sum += cache_.demand(one.slot, one.length + 1);
    return sum;
  };
  while (!running_.empty() && demand() > cache_.available()) {
    const Running last = running_.back();
    running_.pop_back();
    cache_.release(last.slot);
    Served& served = served_[last.request];
    if (running_.empty()) {  // alone, and still too large: a copy needs room for both
      served.outcome = Outcome::kRefused;
      return;
    }
    served.outcome = Outcome::kWaiting;
    ++served.preemptions;
    waiting_.push_front(last.request);
  }
}

void BatchServer::decode(Step& step) {
  if (running_.empty()) return;
  const std::size_t n = running_.size();
  std::vector<std::int32_t> tokens(n), slots(n), positions(n);
  for (std::size_t i = 0; i < n; ++i) {
    tokens[i] = served_[running_[i].request].ids.back();
    slots[i] = running_[i].slot;
    positions[i] = running_[i].length++;
  }
  std::vector<std::int32_t> next(n);
  engine_.step({tokens, slots, positions}, cache_, Choice{}, next);
  for (std::size_t i = 0; i < n; ++i) served_[running_[i].request].ids.push_back(next[i]);
  step.decoded = static_cast<int>(n);
}

void BatchServer::end_finished(Step& step) {
  std::erase_if(running_, [&](const Running& one) {
    Served& served = served_[one.request];
    if (static_cast<int>(served.ids.size()) < requests_[one.request].output) return false;
    cache_.release(one.slot);
    served.outcome = Outcome::kFinished;
    ++step.ended;
    return true;
  });
}

}  // namespace trisect::phi2
