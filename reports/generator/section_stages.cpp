#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <set>
#include <tuple>

#include "reports/generator/markdown.hpp"
#include "reports/generator/sections.hpp"
#include "reports/generator/units.hpp"

namespace trisect::report {
namespace {

using Predicate = std::function<bool(const Row&)>;

/// The CPU's fastest row that passed; where none did, one that shows why; null when nothing was tried.
const Row* best_row(const Results& results, const Predicate& wanted) {
  const Row* best = nullptr;
  for (const Row* row : results.rows()) {
    if (row->device != "cpu" || !wanted(*row)) continue;
    const bool better =
        best == nullptr || (row->time_ns && (!best->time_ns || row->time_ns->median < best->time_ns->median));
    if (better) best = row;
  }
  return best;
}

bool decodes(const Row& row) { return row.field("rows", 1) == 1; }

struct Shape {
  std::string dtype;
  int in, out;
  auto operator<=>(const Shape&) const = default;
};

std::set<Shape> shapes_of(const Results& results) {
  std::set<Shape> shapes;
  for (const Row* row : results.rows()) {
    const bool has_stages = row->op == kLayerOp || row->op == "larosa/sparse_gemv";
    if (has_stages && row->device == "cpu" && decodes(*row)) {
      shapes.insert({row->dtype, row->field("in"), row->field("out")});
    }
  }
  return shapes;
}

void add_stage(Table& table, const std::string& at, const std::string& stage, const Row* row) {
  if (row == nullptr) return;
  std::vector<std::string> cells = {
      at, stage, escape(row->dtype.empty() ? row->variant : row->variant + " " + row->dtype)};
  if (row->time_ns) {
    cells.insert(cells.end(), {microseconds(row->time_ns->median), microseconds_range(*row->time_ns)});
  } else {
    cells.insert(cells.end(), 2, kNone);
  }
  cells.insert(cells.end(), {optional_number(row->gbps()), share_text(*row), check_text(*row)});
  table.add(cells);
}

std::string stage_table(const Results& results, const Shape& shape) {
  Table table({{"sparsity"},
               {"stage", kLeft},
               {"fastest variant", kLeft},
               {"median µs"},
               {"q1–q3 µs"},
               {"GB/s"},
               {"% of probe"},
               {"check", kLeft}});
  const auto is_shape = [&](const Row& row) {
    return row.dtype == shape.dtype && row.field("in") == shape.in && row.field("out") == shape.out &&
           decodes(row);
  };
  std::set<int> sparsities;
  bool has_layer = false, has_rotated = false;
  for (const Row* row : results.rows()) {
    if ((row->op == kLayerOp || row->op == "larosa/sparse_gemv") && is_shape(*row))
      sparsities.insert(row->field("sparsity_permille"));
    if (row->op != kLayerOp || !is_shape(*row)) continue;
    has_layer = true;
    has_rotated = has_rotated || row->field("is_rotated", 1) != 0;
  }
  const Row* rotate = best_row(results, [&](const Row& row) {
    return (has_rotated || !has_layer) && row.op == "larosa/rotate" && row.field("n") == shape.in &&
           row.dtype == shape.dtype && decodes(row);
  });
  add_stage(table, "any", "rotate", rotate);
  for (const int permille : sparsities) {
    const auto selected = [&](const std::string& op) {
      return best_row(results, [&](const Row& row) {
        return row.op == op && row.field("n") == shape.in && row.field("sparsity_permille") == permille &&
               decodes(row);
      });
    };
    const auto product = [&](const std::string& op, const std::string& variant) {
      return best_row(results, [&](const Row& row) {
        return row.op == op && is_shape(row) && row.field("sparsity_permille") == permille &&
               (variant.empty() || row.variant == variant);
      });
    };
    const std::string at = sparsity(permille);
    add_stage(table, at, "top-k", selected("larosa/topk"));
    add_stage(table, at, "scatter", selected("larosa/scatter"));
    add_stage(table, at, "sparse product", product("larosa/sparse_gemv", ""));
    add_stage(table, at, "dense product", product(kLayerOp, kDense));
  }
  return table.empty() ? "" : table.markdown();
}

/// The run of the first row of this shape: whose command line reproduces it.
const MicrobenchRun& run_of(const Results& results, const Shape& shape) {
  for (const Row* row : results.rows()) {
    if (row->field("in") == shape.in && row->field("out") == shape.out) return results.runs[row->run];
  }
  return results.runs.front();
}

}  // namespace

std::string stages_section(const Results& results) {
  if (shapes_of(results).empty()) return "";
  std::string text =
      "### The stages, each on its own\n\n"
      "One token (one row of activations), cold weights. Rotating back costs what rotating costs. GB/s are "
      "declared bytes over the median; "
      "% of probe is against the read bandwidth measured around the row, for what reads cold weights.\n\n";
  for (const Shape& shape : shapes_of(results)) {
    text += fmt::format("**{}→{} {}**\n\n", shape.in, shape.out, escape(shape.dtype)) +
            stage_table(results, shape);
    text +=
        reproduce(run_of(results, shape),
                  fmt::format("^larosa/((rotate|topk|scatter)/.*/n:{}|(sparse_gemv|layer)/.*/in:{}/out:{})/",
                              shape.in, shape.in, shape.out));
  }
  return text;
}

std::string topk_section(const Results& results) {
  std::vector<std::string> variants;
  std::map<std::tuple<int, int, int>, std::map<std::string, const Row*>> problems;
  for (const Row* row : results.rows()) {
    if (row->op != "larosa/topk" || row->device != "cpu") continue;
    if (std::find(variants.begin(), variants.end(), row->variant) == variants.end())
      variants.push_back(row->variant);
    problems[{row->field("rows", 1), row->field("n"), row->field("sparsity_permille")}][row->variant] = row;
  }
  if (problems.empty()) return "";
  constexpr char kYardstick[] = "cpu_nth_element";
  std::vector<Table::Column> columns = {{"rows"}, {"n"}, {"sparsity"}};
  for (const std::string& variant : variants) columns.push_back({escape(variant) + " µs"});
  columns.push_back({"fastest", kLeft});
  columns.push_back({"over " + escape(kYardstick)});
  Table table(columns);
  for (const auto& [problem, rows] : problems) {
    const auto& [count, n, permille] = problem;
    std::vector<std::string> cells = {fmt::format("{}", count), fmt::format("{}", n), sparsity(permille)};
    const Row *fastest = nullptr, *yardstick = nullptr;
    for (const std::string& variant : variants) {
      const auto found = rows.find(variant);
      const Row* row = found == rows.end() ? nullptr : found->second;
      cells.push_back(row == nullptr ? kNone
                      : row->time_ns ? microseconds(row->time_ns->median)
                                     : row->status);
      if (row == nullptr || !row->time_ns) continue;
      if (variant == kYardstick) yardstick = row;
      if (fastest == nullptr || row->time_ns->median < fastest->time_ns->median) fastest = row;
    }
    cells.push_back(fastest == nullptr ? kNone : escape(fastest->variant));
    cells.push_back(fastest == nullptr || yardstick == nullptr
                        ? kNone
                        : times(speedup(*yardstick->time_ns, *fastest->time_ns)));
    table.add(cells);
  }
  const Row* any = problems.begin()->second.begin()->second;
  return "### Variants of top-k\n\nExact selection of k = n - floor(n·s) entries by magnitude.\n\n" +
         table.markdown() + reproduce(results.runs[any->run], "^larosa/topk/");
}

}  // namespace trisect::report
