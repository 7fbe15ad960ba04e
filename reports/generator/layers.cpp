#include "reports/generator/layers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "reports/generator/units.hpp"

namespace trisect::report {

double stage_ns(const Row& row, const std::string& stage) {
  const auto found = row.stage_ns.find(stage);
  return found == row.stage_ns.end() ? 0 : found->second.median;
}

double overhead_ns(const Row& row) {
  double total = 0;
  for (const char* stage : kOverheadStages) total += stage_ns(row, stage);
  return total;
}

std::optional<Change> LayerPoint::change_of(const std::string& name) const {
  const Row* candidate = mode(name);
  if (dense == nullptr || candidate == nullptr) return std::nullopt;
  return change(*dense->time_ns, *candidate->time_ns);
}

std::string Layer::shape() const {
  return fmt::format("{}→{} {}", in, out, rotated ? "rotated" : "unrotated");
}

std::string Layer::name() const { return shape() + " " + dtype; }

std::vector<Layer> layers_of(const Results& results) {
  std::map<std::tuple<std::string, bool, int, int>, std::map<int, LayerPoint>> found;
  std::map<const LayerPoint*, const Row*> first;  // the group that a point belongs to
  for (const Row* row : results.rows()) {
    const bool mode = row->variant == kDense || row->variant == kNaive || row->variant == kOnline;
    if (row->op != kLayerOp || !row->time_ns || !mode || row->field("rows", 1) != 1) continue;
    const bool unrotated = row->field("is_rotated", 1) == 0;
    LayerPoint& point =
        found[{row->dtype, unrotated, row->field("in"), row->field("out")}][row->field("sparsity_permille")];
    const Row* other = first.emplace(&point, row).first->second;
    if (other->run != row->run || other->group != row->group) continue;
    point.sparsity_permille = row->field("sparsity_permille");
    (row->variant == kDense ? point.dense : point.modes[row->variant]) = row;
  }
  std::vector<Layer> layers;
  for (const auto& [key, points] : found) {
    const auto& [dtype, unrotated, in, out] = key;
    Layer layer{in, out, !unrotated, dtype, {}};
    for (const auto& [permille, point] : points) layer.points.push_back(point);
    layers.push_back(std::move(layer));
  }
  return layers;
}

std::string break_even_text(const Layer& layer, const std::string& mode) {
  std::vector<SpeedAt> centre, low, high;
  for (const LayerPoint& point : layer.points) {
    const auto change = point.change_of(mode);
    if (!change) continue;
    const double at = point.sparsity_permille / 1000.0;
    centre.push_back({at, change->ratio.centre});
    low.push_back({at, change->ratio.low});
    high.push_back({at, change->ratio.high});
  }
  if (centre.empty()) return kNone;
  const auto words = [](const std::vector<SpeedAt>& points) {
    const auto found = break_even(points);
    if (!found) return "not up to " + sparsity(static_cast<int>(std::lround(points.back().sparsity * 1000)));
    return (found->at_or_below ? "at most " : "") + percent(found->sparsity);
  };
  const std::string text = words(centre), least = words(high), most = words(low);
  return least == most ? text : fmt::format("{} (quartiles: {} to {})", text, least, most);
}

std::vector<std::string> dtypes_of(const std::vector<Layer>& layers) {
  std::vector<std::string> dtypes;
  for (const Layer& layer : layers) {
    if (dtypes.empty() || dtypes.back() != layer.dtype) dtypes.push_back(layer.dtype);
  }
  return dtypes;
}

bool is_phi2_block(const std::vector<Layer>& layers, const std::string& dtype) {
  std::vector<std::tuple<int, int, bool>> found;
  for (const Layer& layer : layers) {
    if (layer.dtype == dtype) found.emplace_back(layer.in, layer.out, layer.rotated);
  }
  return found == decltype(found){{2560, 17920, true}, {12800, 2560, false}};
}

std::string total_name(const std::vector<Layer>& layers, const std::string& dtype) {
  return is_phi2_block(layers, dtype) ? fmt::format("Both linear layers of a phi-2 block ({})", dtype)
                                      : fmt::format("All {} layers", dtype);
}

std::vector<TotalPoint> totals_of(const std::vector<Layer>& layers, const std::string& dtype,
                                  const std::string& mode) {
  std::map<int, std::pair<std::vector<Summary>, std::vector<Summary>>> at;
  std::size_t wanted = 0;
  for (const Layer& layer : layers) {
    if (layer.dtype != dtype) continue;
    ++wanted;
    for (const LayerPoint& point : layer.points) {
      if (!point.change_of(mode)) continue;
      at[point.sparsity_permille].first.push_back(*point.dense->time_ns);
      at[point.sparsity_permille].second.push_back(*point.mode(mode)->time_ns);
    }
  }
  std::vector<TotalPoint> totals;
  for (const auto& [permille, times] : at) {
    if (wanted < 2 || times.first.size() != wanted) continue;
    const Summary dense = sum(times.first), candidate = sum(times.second);
    totals.push_back({permille, dense, candidate, change(dense, candidate)});
  }
  return totals;
}

}  // namespace trisect::report
