#include "reports/generator/roofline.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "reports/generator/gnuplot.hpp"
#include "reports/generator/layers.hpp"

namespace trisect::report {

std::optional<Roofline> roofline_of(const MicrobenchRun& run) {
  Roofline roofline{&run, run.probe_gbps.value_or(0), run.probe_gbps.value_or(0), {}};
  for (const Group& group : run.groups) {
    for (const auto& probe : {group.probe_before_gbps, group.probe_after_gbps}) {
      if (!probe || *probe <= 0) continue;
      roofline.low_gbps = roofline.low_gbps > 0 ? std::min(roofline.low_gbps, *probe) : *probe;
      roofline.high_gbps = std::max(roofline.high_gbps, *probe);
    }
  }
  std::map<std::string, std::size_t> at;  // by group
  for (const Row& row : run.rows) {
    if (row.device != "cpu" || row.op == kLayerOp || !row.time_ns || row.flops <= 0 || row.bytes <= 0)
      continue;
    const RoofPoint point{&row, row.flops / row.bytes, row.flops / row.time_ns->median, *row.time_ns};
    const auto [found, fresh] = at.emplace(row.group + row.dtype, roofline.points.size());
    if (fresh) {
      roofline.points.push_back(point);
    } else if (point.gflops > roofline.points[found->second].gflops) {
      roofline.points[found->second] = point;
    }
  }
  if (roofline.low_gbps <= 0 || roofline.points.empty()) return std::nullopt;
  return roofline;
}

Picture roofline_picture(const Roofline& roofline, int number, const std::string& file_prefix) {
  double least = 1e300, most = 0, slowest = 1e300, fastest = 0;
  std::vector<std::string> ops;
  std::map<std::string, std::string> data;
  for (const RoofPoint& point : roofline.points) {
    least = std::min(least, point.intensity);
    most = std::max(most, point.intensity);
    slowest = std::min(slowest, point.row->flops / point.time_ns.q3);
    fastest = std::max(fastest, point.row->flops / point.time_ns.q1);
    if (data[point.row->op].empty()) ops.push_back(point.row->op);
    data[point.row->op] +=
        fmt::format("{:.6g} {:.6g} {:.6g} {:.6g}\n", point.intensity, point.gflops,
                    point.row->flops / point.time_ns.q3, point.row->flops / point.time_ns.q1);
  }
  least /= 1.5;
  most *= 1.5;
  Plot plot;
  for (const auto& [gbps, name, dash] : {std::tuple{roofline.high_gbps, "bandwidth, highest probe", 1},
                                         {roofline.low_gbps, "bandwidth, lowest probe", 2}}) {
    plot.add(fmt::format("{:.6g} {:.6g}\n{:.6g} {:.6g}\n", least, least * gbps, most, most * gbps),
             fmt::format("with lines linewidth 2 dashtype {} linecolor rgb 'black' title '{}'", dash, name));
  }
  for (std::size_t i = 0; i < ops.size(); ++i) {
    plot.add(data[ops[i]], fmt::format("with points pointtype 7 pointsize 0.6 linecolor rgb '{}' title {}",
                                       colour(i), gnuplot_text(ops[i])));
    plot.add(data[ops[i]], fmt::format("{} linecolor rgb '{}' notitle", kWhisker, colour(i)));
  }
  return {
      fmt::format("{}-roofline-{}.svg", file_prefix, number),
      "Operations a second against operations a byte of the fastest variant of every problem, below the "
      "lines that "
      "the lowest and the highest bandwidth probe of the run allow",
      plot.script(460,
                  fmt::format("set title 'Roofline of the CPU, by the bandwidth that the run measured'\n"
                              "set logscale xy\nset xtics (0.125, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64)\nset "
                              "xlabel 'declared operations a byte'\n"
                              "set ylabel 'GFLOP/s'\nset xrange [{:.6g}:{:.6g}]\nset yrange [{:.6g}:{:.6g}]\n"
                              "set key outside right top vertical Left reverse\n",
                              least, most, std::min(slowest, least * roofline.low_gbps) / 1.3,
                              std::max(fastest, most * roofline.high_gbps) * 1.3))};
}

}  // namespace trisect::report
