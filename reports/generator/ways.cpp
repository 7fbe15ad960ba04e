#include "reports/generator/ways.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "reports/generator/units.hpp"

namespace trisect::report {
namespace {

constexpr int kHidden = 2560, kQkvFc1 = 17920, kDenseFc2 = 12800;  // of phi-2

/// What a mode of a layer reads of its weights and rotations: whole rows of those that it keeps.
double weight_bytes(const Layer& layer, const std::string& mode, double permille) {
  const double size = layer.dtype == "f32" ? 4 : 2, in = layer.in, rotation = layer.rotated ? in * in : 0;
  const double whole = in * layer.out;
  if (mode == kNaive) return size * (whole + 2 * rotation);
  return size * (mode == kOnline ? whole * (1 - permille / 1000) + rotation : whole);
}

Way way_of(const Layer& layer, const LayerPoint& point, const std::string& mode) {
  const Row& row = *point.mode(mode);
  Way way{*row.time_ns,
          *point.dense->time_ns,
          {},
          weight_bytes(layer, mode, point.sparsity_permille),
          weight_bytes(layer, kDense, 0)};
  for (const auto& [stage, time] : row.stage_ns) way.stage_ns[stage] = time.median;
  return way;
}

double between(double a, double b, double part) { return part == 0 ? a : std::lerp(a, b, part); }

Summary between(const Summary& a, const Summary& b, double part) {
  return {std::min(a.samples, b.samples),    between(a.min, b.min, part), between(a.q1, b.q1, part),
          between(a.median, b.median, part), between(a.q3, b.q3, part),   between(a.max, b.max, part)};
}

Way between(const Way& a, const Way& b, double part) {
  Way way{between(a.time_ns, b.time_ns, part),
          between(a.dense_ns, b.dense_ns, part),
          {},
          between(a.weight_bytes, b.weight_bytes, part),
          a.dense_weight_bytes};
  for (const auto& [stage, time] : a.stage_ns) {
    if (const auto other = b.stage_ns.find(stage); other != b.stage_ns.end())
      way.stage_ns[stage] = between(time, other->second, part);
  }
  return way;
}

/// The points of `layer` around a sparsity at which `measure` has something, put together by their distance.
template <class Value>
std::optional<Value> at(const Layer& layer, double permille,
                        const std::function<std::optional<Value>(const LayerPoint&)>& measure) {
  const LayerPoint *below = nullptr, *above = nullptr;
  for (const LayerPoint& point : layer.points) {
    if (!measure(point)) continue;
    if (point.sparsity_permille <= permille) below = &point;
    if (point.sparsity_permille >= permille && above == nullptr) above = &point;
  }
  if (below == nullptr || above == nullptr) return std::nullopt;
  const double width = above->sparsity_permille - below->sparsity_permille;
  return between(*measure(*below), *measure(*above),
                 width == 0 ? 0 : (permille - below->sparsity_permille) / width);
}

std::optional<Way> layer_way(const Layer& layer, const std::string& mode, double permille) {
  return at<Way>(layer, permille, [&](const LayerPoint& point) -> std::optional<Way> {
    if (!point.change_of(mode)) return std::nullopt;
    return way_of(layer, point, mode);
  });
}

/// The rotate stage of online.
std::optional<Summary> rotate_ns(const Layer& layer, double permille) {
  return at<Summary>(layer, permille, [](const LayerPoint& point) -> std::optional<Summary> {
    const Row* online = point.mode(kOnline);
    if (online == nullptr) return std::nullopt;
    const auto found = online->stage_ns.find("rotate");
    return found == online->stage_ns.end() ? std::nullopt : std::optional(found->second);
  });
}

Summary scaled(const Summary& s, double factor) {
  return {s.samples, s.min * factor, s.q1 * factor, s.median * factor, s.q3 * factor, s.max * factor};
}

Way together(const Way& a, const Way& b) {
  Way way{sum({a.time_ns, b.time_ns}), sum({a.dense_ns, b.dense_ns}), a.stage_ns,
          a.weight_bytes + b.weight_bytes, a.dense_weight_bytes + b.dense_weight_bytes};
  for (const auto& [stage, time] : b.stage_ns) way.stage_ns[stage] += time;
  return way;
}

void add(Work& work, int permille, const std::string& name, const std::optional<Way>& way) {
  if (!way) return;
  work.at[permille].emplace(name, *way);
  if (std::find(work.ways.begin(), work.ways.end(), name) == work.ways.end()) work.ways.push_back(name);
}

std::string break_even_words(const std::vector<SpeedAt>& points) {
  const auto found = break_even(points);
  if (!found) return "not up to " + sparsity(static_cast<int>(std::lround(points.back().sparsity * 1000)));
  return (found->at_or_below ? "at most " : "") + percent(found->sparsity);
}

std::vector<SpeedAt> speeds(const Work& work, const std::string& way,
                            const std::function<double(const Way&)>& speed) {
  std::vector<SpeedAt> points;
  for (const auto& [permille, ways] : work.at) {
    if (const auto found = ways.find(way); found != ways.end())
      points.push_back({permille / 1000.0, speed(found->second)});
  }
  return points;
}

}  // namespace

std::string stage_title(const std::string& stage) {
  return stage == "topk" ? "top-k" : stage == "unrotate" ? "rotate back" : stage;
}

const Way* Work::find(int permille, const std::string& way) const {
  const auto point = at.find(permille);
  if (point == at.end()) return nullptr;
  const auto found = point->second.find(way);
  return found == point->second.end() ? nullptr : &found->second;
}

Work work_of(const Layer& layer) {
  Work work{layer.name(),
            fmt::format("{}x{}-{}{}", layer.in, layer.out, layer.dtype, layer.rotated ? "" : "-unrotated"),
            {},
            {}};
  for (const char* mode : kModes) {
    for (const LayerPoint& point : layer.points)
      add(work, point.sparsity_permille, mode, layer_way(layer, mode, point.sparsity_permille));
  }
  return work;
}

std::string Block::name() const { return fmt::format("the linear layers of a phi-2 block ({})", out->dtype); }

std::optional<Block> block_of(const std::vector<Layer>& layers, const std::string& dtype) {
  Block block;
  for (const Layer& layer : layers) {
    if (layer.dtype != dtype) continue;
    if (layer.in == kHidden && layer.out == kQkvFc1) {
      (layer.rotated ? block.rotated : block.unrotated) = &layer;
    } else if (layer.in == kDenseFc2 && layer.out == kHidden && !layer.rotated) {
      block.out = &layer;
    } else {
      return std::nullopt;
    }
  }
  return block.rotated != nullptr && block.out != nullptr ? std::optional(block) : std::nullopt;
}

std::optional<Way> block_way(const Block& block, const std::string& way, double in_permille,
                             double out_permille) {
  const bool merged = way == kMergedLayer || way == kMergedGlobal;
  const Layer* entering = merged ? block.unrotated : block.rotated;
  if (entering == nullptr) return std::nullopt;
  const std::string mode = merged ? kOnline : way;
  const auto in = layer_way(*entering, mode, in_permille), out = layer_way(*block.out, mode, out_permille);
  if (!in || !out) return std::nullopt;
  Way all = together(*in, *out);
  if (way != kMergedLayer) return all;
  const auto rotate = rotate_ns(*block.rotated, in_permille);
  const auto beside = layer_way(*block.rotated, kOnline, in_permille);
  if (!rotate || !beside) return std::nullopt;
  // The two layers were not timed within the same seconds, so it is brought here as a share of the dense
  // product.
  const Summary adapter = scaled(*rotate, in->dense_ns.median / beside->dense_ns.median);
  all.time_ns = sum({all.time_ns, adapter});
  all.stage_ns[kAdapterStage] = adapter.median;
  all.weight_bytes += weight_bytes(*block.rotated, kOnline, 1000);
  return all;
}

Work work_of(const Block& block) {
  Work work{block.name(), "block-" + block.out->dtype, {}, {}};
  for (const char* way : kWays) {
    const bool merged = way == std::string(kMergedLayer) || way == std::string(kMergedGlobal);
    const Layer* entering = merged ? block.unrotated : block.rotated;
    if (entering == nullptr) continue;
    for (const LayerPoint& point : entering->points) {
      const int permille = point.sparsity_permille;
      const auto measured = [&](const Layer& layer) {
        return std::any_of(layer.points.begin(), layer.points.end(), [&](const LayerPoint& other) {
          return other.sparsity_permille == permille && other.change_of(merged ? kOnline : way);
        });
      };
      if (measured(*entering) && measured(*block.out))
        add(work, permille, way, block_way(block, way, permille, permille));
    }
  }
  return work;
}

std::string break_even_text(const Work& work, const std::string& way) {
  const auto words = [&](double Ratio::*bound) {
    return break_even_words(speeds(work, way, [&](const Way& w) { return w.faster().ratio.*bound; }));
  };
  if (std::find(work.ways.begin(), work.ways.end(), way) == work.ways.end()) return kNone;
  const std::string text = words(&Ratio::centre), least = words(&Ratio::high), most = words(&Ratio::low);
  return least == most ? text : fmt::format("{} (quartiles: {} to {})", text, least, most);
}

std::string break_even_model(const Work& work, const std::string& way) {
  if (std::find(work.ways.begin(), work.ways.end(), way) == work.ways.end()) return kNone;
  return break_even_words(speeds(work, way, [](const Way& w) { return w.ceiling(); }));
}

std::optional<Best> best_of(const Work& work, const std::string& way) {
  std::optional<Best> best;
  for (const auto& [permille, ways] : work.at) {
    const auto found = ways.find(way);
    if (found == ways.end()) continue;
    const Change change = found->second.faster();
    const bool faster = (best && best->ever_faster) || change.verdict == Verdict::kFaster;
    if (!best || change.ratio.centre > best->ratio.centre) best = Best{change.ratio, faster};
    best->ever_faster = faster;
  }
  return best;
}

}  // namespace trisect::report
