#include <fmt/format.h>

#include <algorithm>

#include "reports/generator/markdown.hpp"
#include "reports/generator/questions.hpp"
#include "reports/generator/units.hpp"

namespace trisect::report {
namespace {

/// The products of one shape: in the dense engine's layout, in rows, which LaRoSA skips, and in oneDNN's own.
struct Products {
  const Row *engine = nullptr, *rows = nullptr, *onednn = nullptr;
};

void keep_faster(const Row*& best, const Row& row) {
  if (best == nullptr || row.time_ns->median < best->time_ns->median) best = &row;
}

std::string share_of_probe(const Row& row) {
  return row.probe_share() ? percent(*row.probe_share()) : std::string(kNone);
}

}  // namespace

std::string answer_dense(const Results& results) {
  std::map<std::string, Products> shapes;  // by group, which is a shape of a type in a run
  std::vector<std::string> order;
  for (const Row* row : results.rows()) {
    if (row->op != "dense/gemv" || row->device != "cpu" || row->dtype != "bf16" || !row->time_ns) continue;
    if (row->variant == "ref" || row->weights != "cold") continue;
    const std::string key = fmt::format("{} {}", row->run, row->group);
    if (!shapes.contains(key)) order.push_back(key);
    Products& products = shapes[key];
    keep_faster(row->variant == "cpu_panels"      ? products.engine
                : row->variant == "onednn_packed" ? products.onednn
                                                  : products.rows,
                *row);
  }
  Table table({{"product", kLeft},
               {"engine", kLeft},
               {"of the probe"},
               {"rows", kLeft},
               {"of the probe"},
               {"rows' speed", kLeft},
               {"oneDNN's speed in its own layout", kLeft}});
  const auto speed = [](const Row& engine, const Row* other) {
    if (other == nullptr) return std::string(kNone);
    const Change gain = change(*engine.time_ns, *other->time_ns);
    return fmt::format("{}, {}", times(gain.ratio), name_of(gain.verdict));
  };
  double engine_ns = 0, rows_ns = 0;
  for (const std::string& key : order) {
    const auto& [engine, rows, onednn] = shapes.at(key);
    if (engine == nullptr || rows == nullptr) continue;
    table.add({fmt::format("{}→{}", engine->field("in"), engine->field("out")), code(engine->variant),
               share_of_probe(*engine), code(rows->variant), share_of_probe(*rows), speed(*engine, rows),
               speed(*engine, onednn)});
    engine_ns += engine->time_ns->median;
    rows_ns += rows->time_ns->median;
  }
  if (table.empty()) return "";
  const std::string lost =
      engine_ns < rows_ns
          ? fmt::format("beside a dense model that kept them in rows, LaRoSA would look {} faster than it is",
                        times(rows_ns / engine_ns))
          : "rows would cost it nothing in this run";
  return fmt::format(
             "Its weights lie in panels, which it reads in one run and of which nothing can be skipped; "
             "LaRoSA "
             "skips rows, so it needs them whole. Over these products panels take {} of the rows' time: "
             "{}.\n\n",
             percent(engine_ns / rows_ns), lost) +
         table.markdown() + "\n";
}

}  // namespace trisect::report
