#include "reports/generator/pairs.hpp"

#include <algorithm>
#include <cmath>
#include <random>

namespace trisect::report {
namespace {

constexpr double kOutside = 0.005;  // on either side
constexpr double kSame = 1.05;
constexpr int kResamples = 1000;

double median_of(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<long>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

/// How many samples may be left out at each end: the most of which a fair coin gives as few heads in kOutside
/// of all cases.
std::size_t left_out(std::size_t count) {
  double chance = std::pow(0.5, static_cast<double>(count)), below = 0;
  std::size_t heads = 0;
  while (below + chance <= kOutside) {
    below += chance;
    chance *= static_cast<double>(count - heads) / static_cast<double>(heads + 1);
    ++heads;
  }
  return heads == 0 ? 0 : heads - 1;
}

}  // namespace

Ratio median_ratio(LogRatios pairs) {
  std::sort(pairs.begin(), pairs.end());
  const std::size_t out = left_out(pairs.size());
  return {std::exp(median_of(pairs)), std::exp(pairs[out]), std::exp(pairs[pairs.size() - 1 - out])};
}

Ratio pooled_ratio(const std::vector<LogRatios>& rows) {
  const auto pooled = [&](auto&& row_at) {
    std::vector<double> all;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const LogRatios& row = rows[row_at(i)];
      all.insert(all.end(), row.begin(), row.end());
    }
    return median_of(std::move(all));
  };
  const double centre = pooled([](std::size_t i) { return i; });
  if (rows.size() < kFewestRows) {
    Ratio hull{std::exp(centre), std::exp(centre), std::exp(centre)};
    for (const LogRatios& row : rows) {
      const Ratio one = median_ratio(row);
      hull.low = std::min(hull.low, one.low);
      hull.high = std::max(hull.high, one.high);
    }
    return hull;
  }
  // Reduced by hand: what standard distributions draw is the library's business.
  std::mt19937_64 random(1);
  std::vector<double> medians;
  for (int i = 0; i < kResamples; ++i)
    medians.push_back(pooled([&](std::size_t) { return static_cast<std::size_t>(random() % rows.size()); }));
  std::sort(medians.begin(), medians.end());
  const auto out = static_cast<std::size_t>(kOutside * kResamples);
  return {std::exp(centre), std::exp(std::min(centre, medians[out])),
          std::exp(std::max(centre, medians[medians.size() - 1 - out]))};
}

Ratio mean_ratio(const std::vector<Ratio>& rows) {
  double centre = 0, low = 0, high = 0;
  for (const Ratio& row : rows) {
    centre += std::log(row.centre);
    low += std::log(row.low);
    high += std::log(row.high);
  }
  const auto count = static_cast<double>(rows.size());
  return {std::exp(centre / count), std::exp(low / count), std::exp(high / count)};
}

Verdict judge_within(const Ratio& ratio, double margin) {
  if (ratio.low > 1 && ratio.centre >= 1 + margin) return Verdict::kFaster;
  if (ratio.high < 1 && ratio.centre <= 1 / (1 + margin)) return Verdict::kSlower;
  return ratio.low >= 1 / kSame && ratio.high <= kSame ? Verdict::kSame : Verdict::kAmbiguous;
}

}  // namespace trisect::report
