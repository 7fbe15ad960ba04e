#include <fmt/format.h>

#include "reports/generator/markdown.hpp"
#include "reports/generator/roofline.hpp"
#include "reports/generator/sections.hpp"
#include "reports/generator/units.hpp"

namespace trisect::report {

std::string roofline_section(const Results& results, const std::string& prefix, Album& album) {
  std::string text;
  int index = 0;
  for (const MicrobenchRun& run : results.runs) {
    const auto roofline = roofline_of(run);
    if (!roofline) continue;
    Table table({{"NAME", kLeft},
                 {"operations a byte"},
                 {"GFLOP/s"},
                 {"allowed by bandwidth, GFLOP/s"},
                 {"of it"},
                 {"weights", kLeft}});
    for (const RoofPoint& point : roofline->points) {
      const double allowed = point.intensity * point.row->probe_gbps.value_or(roofline->high_gbps);
      table.add({code(point.row->name), number(point.intensity), number(point.gflops), number(allowed),
                 percent(point.gflops / allowed), escape(point.row->weights)});
    }
    text += fmt::format(
        "The fastest variant of every problem that computes. Bandwidth was probed beside every group, from "
        "{} to {} "
        "GB/s: both lines. What lies on them can only become faster by reading less, which is what skipping "
        "does; what "
        "lies below is bound by something else, and what lies above read from a cache.\n\n",
        number(roofline->low_gbps), number(roofline->high_gbps));
    text += album.add(roofline_picture(*roofline, ++index, prefix));
    text += details("Every point", table.markdown());
  }
  return text.empty() ? "" : "## Roofline\n\n" + text;
}

}  // namespace trisect::report
