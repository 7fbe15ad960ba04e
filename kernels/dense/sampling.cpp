#include "kernels/dense/sampling.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "kernels/core/error.hpp"

namespace trisect::dense {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

double uniform(Seed seed, std::uint64_t step) {
  return static_cast<double>(random_bits(seed, step) >> 11) * 0x1p-53;
}

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
  if (best < 0) {
    throw Error(
        ExitCode::kCheckFailed,
        fmt::format("none of the {} logits is a number: the weights or the cache are broken", logits.size()));
  }
  return best;
}

void validate(const SamplingParams& params) {
  if (!(params.temperature >= 0 && std::isfinite(params.temperature))) {
    usage_error("temperature {} is not a finite number >= 0", params.temperature);
  }
  if (!(params.top_p > 0 && params.top_p <= 1)) usage_error("top-p {} is not in (0, 1]", params.top_p);
}

int sample(std::span<const float> logits, const SamplingParams& params, std::uint64_t step) {
  validate(params);
  const int best = argmax(logits);
  const double largest = logits[static_cast<std::size_t>(best)];
  if (params.temperature == 0 || std::isinf(largest)) return best;

  std::vector<double> weight(logits.size());
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const bool counts = !std::isnan(logits[i]);
    weight[i] = counts ? std::exp((double{logits[i]} - largest) / double{params.temperature}) : 0.0;
  }
  const double total = std::accumulate(weight.begin(), weight.end(), 0.0);
  std::vector<int> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  std::size_t kept = order.size();
  double mass = total;
  if (params.top_p < 1) {
    // A heap yields the most probable ones first and stops early, where a sort would order the whole
    // vocabulary.
    const auto less_probable = [&](int a, int b) {
      const double wa = weight[static_cast<std::size_t>(a)], wb = weight[static_cast<std::size_t>(b)];
      return wa < wb || (wa == wb && a > b);
    };
    std::make_heap(order.begin(), order.end(), less_probable);
    mass = 0;
    for (kept = 0; kept < order.size() && mass < double{params.top_p} * total; ++kept) {
      std::pop_heap(order.begin(), order.end() - static_cast<std::ptrdiff_t>(kept), less_probable);
      mass += weight[static_cast<std::size_t>(order[order.size() - 1 - kept])];
    }
    std::reverse(order.begin(), order.end());
  }
  double left = uniform(params.seed, step) * mass;
  int chosen = best;
  for (std::size_t i = 0; i < kept; ++i) {
    const double w = weight[static_cast<std::size_t>(order[i])];
    if (w == 0) continue;
    chosen = order[i];
    if (left < w) break;
    left -= w;
  }
  return chosen;
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
