#include "kernels/vattention/usage_meter.hpp"

#include <algorithm>

namespace trisect::vattention {
namespace {

constexpr std::size_t KvUsage::*kAmounts[] = {&KvUsage::reserved, &KvUsage::committed, &KvUsage::used,
                                              &KvUsage::parked,   &KvUsage::peak,      &KvUsage::claimed};

}  // namespace

void UsageMeter::sample(double seconds, const KvUsage& usage) {
  if (any_) {
    const double lasted = seconds - last_s_;
    sums_.reserved += lasted * static_cast<double>(last_.reserved);
    sums_.committed += lasted * static_cast<double>(last_.committed);
    sums_.used += lasted * static_cast<double>(last_.used);
    sums_.parked += lasted * static_cast<double>(last_.parked);
    sums_.claimed += lasted * static_cast<double>(last_.claimed);
    sums_.fragmentation += lasted * static_cast<double>(last_.fragmentation());
  } else {
    start_ = seconds;
  }
  any_ = true;
  last_s_ = seconds;
  last_ = usage;
  for (const auto amount : kAmounts) peak_.*amount = std::max(peak_.*amount, usage.*amount);
  peak_fragmentation_ = std::max(peak_fragmentation_, usage.fragmentation());
}

UsageMeter::Summary UsageMeter::summary() const {
  const double lasted = last_s_ - start_;
  Summary summary{.peak = peak_, .average = last_, .peak_fragmentation = peak_fragmentation_};
  summary.average_fragmentation = static_cast<double>(last_.fragmentation());
  if (lasted > 0) {
    const auto mean = [&](double sum) { return static_cast<std::size_t>(sum / lasted); };
    summary.average = {.reserved = mean(sums_.reserved),
                       .committed = mean(sums_.committed),
                       .used = mean(sums_.used),
                       .parked = mean(sums_.parked),
                       .peak = peak_.peak,
                       .claimed = mean(sums_.claimed)};
    summary.average_fragmentation = sums_.fragmentation / lasted;
  }
  summary.utilisation = summary.average.utilisation();
  return summary;
}

}  // namespace trisect::vattention
