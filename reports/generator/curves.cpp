#include "reports/generator/curves.hpp"

#include <algorithm>
#include <functional>
#include <set>

namespace trisect::report {
namespace {

std::vector<int> where(const std::map<int, double>& price, const std::function<bool(double)>& is) {
  std::vector<int> found;
  for (const auto& [permille, ratio] : price) {
    if (is(ratio)) found.push_back(permille);
  }
  return found;
}

}  // namespace

std::vector<Curve> curves_of(const SweepRun& run) {
  std::vector<Curve> curves;
  for (const bool prefill : {false, true}) {
    for (const char* mode : kSweepModes) {
      for (const char* rotation : kRotations) {
        Curve curve{mode, rotation, prefill, {}};
        for (const SweepPoint& point : run.points) {
          if (point.mode == mode && point.rotation == rotation && point.prefill == prefill)
            curve.at[point.sparsity_permille] = &point;
        }
        if (!curve.at.empty()) curves.push_back(std::move(curve));
      }
    }
  }
  return curves;
}

std::vector<int> sparsities_of(const SweepRun& run) {
  std::set<int> found;
  for (const SweepPoint& point : run.points) found.insert(point.sparsity_permille);
  return {found.begin(), found.end()};
}

std::vector<std::string> modes_of(const SweepRun& run) {
  std::vector<std::string> found;
  for (const char* mode : kSweepModes) {
    if (std::any_of(run.points.begin(), run.points.end(),
                    [&](const SweepPoint& p) { return p.mode == mode; }))
      found.emplace_back(mode);
  }
  return found;
}

std::vector<bool> prefills_of(const SweepRun& run) {
  std::set<bool> found;
  for (const SweepPoint& point : run.points) found.insert(point.prefill);
  return {found.begin(), found.end()};
}

std::vector<int> AgainstNone::better() const {
  return where(price, [](double ratio) { return ratio <= 1 - kSamePerplexity; });
}
std::vector<int> AgainstNone::same() const {
  return where(price,
               [](double ratio) { return ratio > 1 - kSamePerplexity && ratio < 1 + kSamePerplexity; });
}
std::vector<int> AgainstNone::worse() const {
  return where(price, [](double ratio) { return ratio >= 1 + kSamePerplexity; });
}

std::vector<AgainstNone> against_none(const SweepRun& run) {
  const auto curves = curves_of(run);
  std::vector<AgainstNone> all;
  for (const Curve& curve : curves) {
    if (curve.rotation == kUnrotated) continue;
    const auto none = std::find_if(curves.begin(), curves.end(), [&](const Curve& other) {
      return other.rotation == kUnrotated && other.mode == curve.mode && other.prefill == curve.prefill;
    });
    if (none == curves.end()) continue;
    AgainstNone against{curve.mode, curve.rotation, curve.prefill, {}};
    for (const auto& [permille, point] : curve.at) {
      const auto other = none->at.find(permille);
      if (permille == 0 || other == none->at.end() || !point->perplexity || !other->second->perplexity)
        continue;
      against.price[permille] = *point->perplexity / *other->second->perplexity;
    }
    if (!against.price.empty()) all.push_back(std::move(against));
  }
  return all;
}

int telling_sparsity(const std::vector<AgainstNone>& all, const std::vector<int>& wanted) {
  std::set<int> found;
  for (const AgainstNone& against : all) {
    for (const auto& [permille, price] : against.price) found.insert(permille);
  }
  for (const int permille : wanted) {
    if (found.contains(permille)) return permille;
  }
  return found.empty() ? 0 : *found.rbegin();
}

}  // namespace trisect::report
