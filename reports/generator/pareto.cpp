#include "reports/generator/pareto.hpp"

#include <algorithm>
#include <cmath>

namespace trisect::report {
namespace {

std::optional<Block> block_for(const SweepRun& run, const std::vector<Layer>& layers) {
  if (auto block = block_of(layers, run.dtype)) return block;
  for (const std::string& dtype : dtypes_of(layers)) {
    if (auto block = block_of(layers, dtype)) return block;
  }
  return std::nullopt;
}

/// In permille, rounded down as the engine does; 750 times 1.2 is 900 and not a bit more.
double dropped(int permille, double coefficient) { return std::floor(permille * coefficient + 1e-6); }

void mark_front(std::vector<ParetoPoint>& points) {
  for (ParetoPoint& point : points) {
    const auto beats = [&](double speed, double price) {
      return speed >= point.speedup.centre && price <= point.price &&
             (speed > point.speedup.centre || price < point.price);
    };
    point.front = !beats(1, 1) && std::none_of(points.begin(), points.end(), [&](const ParetoPoint& other) {
      return beats(other.speedup.centre, other.price);
    });
  }
}

}  // namespace

std::optional<std::string> way_of(const std::string& mode, const std::string& rotation) {
  const bool rotates = rotation != kUnrotated;
  if (mode == "naive") return rotates ? std::optional<std::string>(kNaive) : std::nullopt;
  if (mode == "online") return rotates ? kOnline : kMergedGlobal;
  return rotation == "layer" ? kMergedLayer : kMergedGlobal;
}

std::optional<Pareto> pareto_of(const SweepRun& run, const std::vector<Layer>& layers) {
  const auto block = block_for(run, layers);
  if (!block || !run.dense_perplexity) return std::nullopt;
  Pareto pareto{block->out->dtype, {}, 0};
  for (const Curve& curve : curves_of(run)) {
    const auto way = way_of(curve.mode, curve.rotation);
    if (curve.prefill || !way) continue;
    for (const auto& [permille, point] : curve.at) {
      if (permille == 0 || !point->perplexity) continue;
      const auto speed = block_way(*block, *way, dropped(permille, run.coefficient_in),
                                   dropped(permille, run.coefficient_out));
      if (!speed) {
        ++pareto.beyond;
        continue;
      }
      pareto.points.push_back({curve.mode, curve.rotation, permille, speed->faster().ratio,
                               *point->perplexity / *run.dense_perplexity});
    }
  }
  if (pareto.points.empty()) return std::nullopt;
  mark_front(pareto.points);
  return pareto;
}

}  // namespace trisect::report
