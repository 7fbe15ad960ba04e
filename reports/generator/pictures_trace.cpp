#include "reports/generator/pictures_trace.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "reports/generator/gnuplot.hpp"
#include "reports/generator/trace_verdict.hpp"
#include "reports/generator/units.hpp"

namespace trisect::report {
namespace {

/// Points at which a step begins, and the last.
std::string line_of(const TraceCache& cache, double KvBytes::*amount) {
  std::string data;
  const auto& points = cache.over_time;
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (i > 0 && i + 1 < points.size() && points[i].bytes.*amount == points[i - 1].bytes.*amount) continue;
    data += fmt::format("{} {:.6g}\n", points[i].step, points[i].bytes.*amount / 1e6);
  }
  return data;
}

}  // namespace

Picture memory_picture(const TraceRun& run, int number, const std::string& file_prefix) {
  Picture picture{
      fmt::format("{}-memory-{}.svg", file_prefix, number),
      fmt::format("Megabytes that each KV cache has committed over the steps of {}, above those that "
                  "tokens of running requests use",
                  run.name),
      ""};
  Plot plot;
  double most = 0;
  int last = 0;
  std::size_t index = 0;
  const TraceCache* judged = run.find(kVattention);
  if (judged == nullptr && !run.caches.empty()) judged = &run.caches.front();
  if (judged != nullptr)
    plot.add(line_of(*judged, &KvBytes::used),
             "using 1:2 with fillsteps fillstyle solid noborder linecolor rgb '#dddddd' title 'used'");
  for (const TraceCache& cache : run.caches) {
    for (const TraceCache::Point& point : cache.over_time) {
      most = std::max(most, point.bytes.committed / 1e6);
      last = std::max(last, point.step);
    }
    plot.add(line_of(cache, &KvBytes::committed),
             fmt::format("using 1:2 with steps linewidth {} linecolor rgb '{}' title {}",
                         // A cache that holds as much as static is drawn over it, and must not hide it.
                         cache.name == "static"      ? 6
                         : cache.name == kVattention ? 3
                                                     : 2,
                         colour(index), gnuplot_text(cache.name)));
    ++index;
  }
  if (most <= 0 || last <= 0) return picture;
  picture.script = plot.script(
      380, fmt::format("set title {}\nset xlabel 'step of decoding'\nset ylabel 'committed, MB'\nset xrange "
                       "[0:{}]\nset yrange [0:{:.6g}]\n{}",
                       gnuplot_text(fmt::format("KV caches on the trace {}, granules of {}", run.name,
                                                bytes(run.granule_bytes))),
                       last, 1.05 * most, kKeyAbove));
  return picture;
}

}  // namespace trisect::report
