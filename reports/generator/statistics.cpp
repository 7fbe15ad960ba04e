#include "reports/generator/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>

namespace trisect::report {
namespace {

constexpr double kClearGap = 1.02;
constexpr double kSameSpread = 1.05;
constexpr int kFewestSamples = 3;

double quantile(const std::vector<double>& sorted, double q) {
  const double position = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], position - static_cast<double>(below));
}

}  // namespace

Summary summarize(std::vector<double> samples) {
  std::sort(samples.begin(), samples.end());
  return {static_cast<int>(samples.size()), samples.front(),         quantile(samples, 0.25),
          quantile(samples, 0.5),           quantile(samples, 0.75), samples.back()};
}

MeanInterval mean_interval(const std::vector<double>& samples) {
  // Quantiles of Student's t at 0.975 for 1 to 30 degrees of freedom; beyond, 2.0 is within 2 % of them.
  constexpr double kStudent[] = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
                                 2.201,  2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
                                 2.080,  2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042};
  const auto n = static_cast<double>(samples.size());
  double total = 0, squares = 0;
  for (const double sample : samples) total += sample;
  const double mean = total / n;
  for (const double sample : samples) squares += (sample - mean) * (sample - mean);
  if (samples.size() < 2) {
    const double unbounded = std::numeric_limits<double>::infinity();
    return {1, mean, -unbounded, unbounded};
  }
  const std::size_t freedom = samples.size() - 1;
  const double t = freedom <= std::size(kStudent) ? kStudent[freedom - 1] : 2.0;
  const double half = t * std::sqrt(squares / (n - 1) / n);
  return {static_cast<int>(samples.size()), mean, mean - half, mean + half};
}

double noise(const Summary& summary) {
  return summary.median > 0 ? (summary.q3 - summary.q1) / summary.median : 0;
}

Summary sum(const std::vector<Summary>& parts) {
  Summary total;
  for (const Summary& part : parts) {
    total.samples = total.samples == 0 ? part.samples : std::min(total.samples, part.samples);
    total.min += part.min;
    total.q1 += part.q1;
    total.median += part.median;
    total.q3 += part.q3;
    total.max += part.max;
  }
  return total;
}

Ratio speedup(const Summary& base_time, const Summary& candidate_time) {
  return {base_time.median / candidate_time.median, base_time.q1 / candidate_time.q3,
          base_time.q3 / candidate_time.q1};
}

std::string_view name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::kFaster:
      return "faster";
    case Verdict::kSame:
      return "same";
    case Verdict::kSlower:
      return "slower";
    case Verdict::kNotComparable:
      return "not comparable";
    case Verdict::kAmbiguous:
      break;
  }
  return "ambiguous";
}

Verdict judge(const Ratio& ratio, int fewest_samples) {
  if (fewest_samples < kFewestSamples) return Verdict::kAmbiguous;
  if (ratio.low > 1 && ratio.centre >= kClearGap) return Verdict::kFaster;
  if (ratio.high < 1 && ratio.centre <= 1 / kClearGap) return Verdict::kSlower;
  const bool close = ratio.centre < kClearGap && ratio.centre > 1 / kClearGap;
  if (close && ratio.low >= 1 / kSameSpread && ratio.high <= kSameSpread) return Verdict::kSame;
  return Verdict::kAmbiguous;
}

Change change(const Summary& base_time, const Summary& candidate_time) {
  const Ratio ratio = speedup(base_time, candidate_time);
  return {ratio, judge(ratio, std::min(base_time.samples, candidate_time.samples))};
}

std::optional<BreakEven> break_even(const std::vector<SpeedAt>& points) {
  if (points.empty() || points.back().speedup <= 1) return std::nullopt;
  std::size_t first = points.size() - 1;  // of the run of points above 1 that ends at the largest sparsity
  while (first > 0 && points[first - 1].speedup > 1) --first;
  if (first == 0) return BreakEven{points[0].sparsity, true};
  const SpeedAt &slow = points[first - 1], &fast = points[first];
  const double time_slow = 1 / slow.speedup, time_fast = 1 / fast.speedup;
  const double part = (time_slow - 1) / (time_slow - time_fast);
  return BreakEven{std::lerp(slow.sparsity, fast.sparsity, part), false};
}

}  // namespace trisect::report
