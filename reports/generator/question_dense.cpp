#include <fmt/format.h>

#include <algorithm>

#include "reports/generator/markdown.hpp"
#include "reports/generator/questions.hpp"
#include "reports/generator/units.hpp"

namespace trisect::report {
namespace {

/// Products over a second copy of the weights, in a layout in which no row can be skipped.
bool has_own_layout(const Row& row) { return row.variant == "onednn_packed" || row.variant == "cpu_panels"; }

/// The products of one shape: the engine's, which skips rows for LaRoSA and not for dense, and the fastest of
/// those that cannot.
struct Products {
  const Row *rows = nullptr, *own = nullptr;
};

void keep_faster(const Row*& best, const Row& row) {
  if (best == nullptr || row.time_ns->median < best->time_ns->median) best = &row;
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
    keep_faster(has_own_layout(*row) ? products.own : products.rows, *row);
  }
  Table table({{"product", kLeft},
               {"rows", kLeft},
               {"of the probe"},
               {"own layout", kLeft},
               {"of the probe"},
               {"own layout's speed", kLeft}});
  double rows_ns = 0, own_ns = 0;
  for (const std::string& key : order) {
    const auto& [rows, own] = shapes.at(key);
    if (rows == nullptr || own == nullptr) continue;
    const Change gain = change(*rows->time_ns, *own->time_ns);
    const auto share = [](const Row& row) {
      return row.probe_share() ? percent(*row.probe_share()) : std::string(kNone);
    };
    table.add({fmt::format("{}→{}", rows->field("in"), rows->field("out")), code(rows->variant), share(*rows),
               code(own->variant), share(*own),
               fmt::format("{}, {}", times(gain.ratio), name_of(gain.verdict))});
    rows_ns += rows->time_ns->median;
    own_ns += own->time_ns->median;
  }
  if (table.empty()) return "";
  const std::string lost =
      own_ns < rows_ns ? fmt::format(
                             "divide LaRoSA's speed-up by {} for a dense model that had nothing else to do "
                             "with its weights",
                             number(rows_ns / own_ns))
                       : "rows cost a dense model nothing in this run";
  return fmt::format(
             "LaRoSA skips rows of weights, so the dense model that it is compared with keeps them in rows, "
             "too. Layouts of their own cannot skip anything and are a second copy here; the best of them "
             "takes {} of the rows' time over these products: {}.\n\n",
             percent(own_ns / rows_ns), lost) +
         table.markdown() + "\n";
}

}  // namespace trisect::report
