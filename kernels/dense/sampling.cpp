#include "kernels/dense/sampling.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "kernels/core/error.hpp"
#include "kernels/dense/sampling_weight.hpp"

namespace trisect::dense {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

/// Tokens from the most probable to the least, as they are asked for: a heap orders no more of them than are
/// needed.
class Descending {
 public:
  Descending(std::span<const float> logits, float largest, float scale) {
    heap_.reserve(logits.size());
    for (std::size_t i = 0; i < logits.size(); ++i) {
      const std::uint32_t distance = distance_of(logits[i], largest, scale);
      const std::uint64_t weight = weight_of(distance);
      if (weight > 0) heap_.push_back(std::uint64_t{distance} << 32 | i);
      total_ += weight;
    }
    std::make_heap(heap_.begin(), heap_.end(), std::greater<>());
    end_ = heap_.end();
  }

  struct Token {
    int index;
    std::uint64_t weight;
  };
  /// There is one.
  Token next() {
    std::pop_heap(heap_.begin(), end_, std::greater<>());
    --end_;
    return {static_cast<int>(*end_ & 0xffffffffu), weight_of(static_cast<std::uint32_t>(*end_ >> 32))};
  }
  std::uint64_t total() const { return total_; }

 private:
  std::vector<std::uint64_t> heap_;  // distance and index
  std::vector<std::uint64_t>::iterator end_;
  std::uint64_t total_ = 0;
};

}  // namespace

int argmax(std::span<const float> logits) {
  int best = -1;
  float largest = kMinusInfinity;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (logits[i] > largest) {
      largest = logits[i];
      best = static_cast<int>(i);
    }
  }
  if (best < 0) refuse_logits(logits.size());
  return best;
}

void refuse_logits(std::size_t count) {
  throw Error(ExitCode::kCheckFailed,
              fmt::format("none of the {} logits is a number: the weights or the cache are broken", count));
}

void validate(const SamplingParams& params) {
  if (!(params.temperature >= 0 && std::isfinite(params.temperature))) {
    usage_error("temperature {} is not a finite number >= 0", params.temperature);
  }
  if (!(params.top_p > 0 && params.top_p <= 1)) usage_error("top-p {} is not in (0, 1]", params.top_p);
}

int draw(std::span<const float> logits, float temperature, float top_p, std::uint64_t bits) {
  const int best = argmax(logits);
  const float largest = logits[static_cast<std::size_t>(best)], scale = scale_of(temperature);
  if (temperature == 0 || std::isinf(scale) || std::isinf(largest)) return best;

  Descending tokens(logits, largest, scale);
  const std::uint64_t wanted = nucleus_of(tokens.total(), top_p);
  std::vector<Descending::Token> kept;
  std::uint64_t mass = 0;
  while (wanted < tokens.total() && mass < wanted) mass += kept.emplace_back(tokens.next()).weight;
  if (kept.empty()) mass = tokens.total();  // all of them: no need to see each
  std::uint64_t left = high_product(bits, mass);
  for (std::size_t i = 0;; ++i) {
    const Descending::Token token = i < kept.size() ? kept[i] : tokens.next();
    if (left < token.weight) return token.index;
    left -= token.weight;
  }
}

int sample(std::span<const float> logits, const SamplingParams& params, std::uint64_t step) {
  validate(params);
  return draw(logits, params.temperature, params.top_p, random_bits(params.seed, step));
}

double log_softmax(std::span<const float> logits, int id) {
  if (id < 0 || static_cast<std::size_t>(id) >= logits.size()) {
    usage_error("log_softmax: id {} is outside the {} logits", id, logits.size());
  }
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(double{logit} - largest);
  return double{logits[static_cast<std::size_t>(id)]} - largest - std::log(sum);
}

}  // namespace trisect::dense
