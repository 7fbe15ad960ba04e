// Machines with a clock of their own: work takes as long as their model says, and nothing else takes any
// time.
#pragma once

#include <cmath>
#include <functional>
#include <random>
#include <utility>

namespace trisect::testing {

class FakeDevice {
 public:
  /// How many times longer work takes at a moment, in seconds since the start.
  using Slowness = std::function<double(double now, std::mt19937_64& random)>;

  explicit FakeDevice(Slowness slowness, unsigned seed = 1) : slowness_(std::move(slowness)), random_(seed) {}

  double now() const { return now_; }
  void idle(double seconds) { now_ += seconds; }
  /// Returns what it took.
  double work(double seconds) {
    const double took = seconds * slowness_(now_, random_);
    now_ += took;
    return took;
  }

 private:
  Slowness slowness_;
  std::mt19937_64 random_;
  double now_ = 0;
};

inline FakeDevice::Slowness steady() {
  return [](double, std::mt19937_64&) { return 1.0; };
}

/// Most of the time a little more or less, now and then several times as long.
inline FakeDevice::Slowness noisy(double sigma) {
  return [sigma](double, std::mt19937_64& random) {
    const double factor = std::exp(std::normal_distribution<double>(0, sigma)(random));
    return std::uniform_int_distribution<int>(0, 19)(random) == 0 ? 4 * factor : factor;
  };
}

/// Two states that last for some `seconds` each, as bandwidth shared with strangers has.
inline FakeDevice::Slowness bimodal(double seconds, double factor) {
  return [=, until = 0.0, slow = true](double now, std::mt19937_64& random) mutable {
    while (now >= until) {
      slow = !slow;
      until += std::exponential_distribution<double>(1 / seconds)(random);
    }
    return slow ? factor : 1.0;
  };
}

/// Full speed for a while, then hot for good.
inline FakeDevice::Slowness throttled(double after, double factor) {
  return [=](double now, std::mt19937_64&) { return now < after ? 1.0 : factor; };
}

inline FakeDevice::Slowness drifting(double per_second) {
  return [=](double now, std::mt19937_64&) { return 1 + per_second * now; };
}

}  // namespace trisect::testing
