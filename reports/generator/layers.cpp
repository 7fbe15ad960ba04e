#include "reports/generator/layers.hpp"

#include <fmt/format.h>

#include <tuple>

namespace trisect::report {

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

std::vector<std::string> dtypes_of(const std::vector<Layer>& layers) {
  std::vector<std::string> dtypes;
  for (const Layer& layer : layers) {
    if (dtypes.empty() || dtypes.back() != layer.dtype) dtypes.push_back(layer.dtype);
  }
  return dtypes;
}

}  // namespace trisect::report
