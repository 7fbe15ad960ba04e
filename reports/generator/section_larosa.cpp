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

/// The fastest row that passed; where none did, one that shows why; null when nothing was tried.
const Row* best_row(const Results& results, const Predicate& wanted) {
  const Row* best = nullptr;
  for (const Row* row : results.rows()) {
    if (!wanted(*row)) continue;
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
    if ((row->op == kLayerOp || row->op == "larosa/sparse_gemv") && decodes(*row)) {
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
  const bool share = row->weights == "cold" && row->gbps() && row->probe_gbps;
  cells.insert(cells.end(), {optional_number(row->gbps()),
                             share ? percent(*row->gbps() / *row->probe_gbps) : kNone, check_text(*row)});
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
  for (const Row* row : results.rows()) {
    if ((row->op == kLayerOp || row->op == "larosa/sparse_gemv") && is_shape(*row))
      sparsities.insert(row->field("sparsity_permille"));
  }
  const Row* rotate = best_row(results, [&](const Row& row) {
    return row.op == "larosa/rotate" && row.field("n") == shape.in && row.dtype == shape.dtype &&
           decodes(row);
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

std::string reproduce(const MicrobenchRun& run, const std::string& filter) {
  return "Again: " + code(microbench_command(run, filter)) + "\n\n";
}

std::string stages_section(const Results& results) {
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

std::string time_cell(const Row* row) { return row == nullptr ? kNone : microseconds(row->time_ns->median); }

std::vector<std::string> change_cells(const LayerPoint& point, const std::string& mode) {
  const auto change = point.change_of(mode);
  if (!change) return {kNone, kNone};
  return {times(change->ratio), std::string(name_of(change->verdict))};
}

std::string layer_table(const Layer& layer) {
  Table table({{"sparsity"},
               {"dense µs"},
               {"naive µs"},
               {"online µs"},
               {"online: overhead µs"},
               {"online: product µs"},
               {"product saved µs"},
               {"online over dense"},
               {"verdict", kLeft},
               {"naive over dense"},
               {"verdict", kLeft}});
  for (const LayerPoint& point : layer.points) {
    const Row *naive = point.mode(kNaive), *online = point.mode(kOnline);
    std::vector<std::string> cells = {sparsity(point.sparsity_permille), time_cell(point.dense),
                                      time_cell(naive), time_cell(online)};
    if (online != nullptr && !online->stage_ns.empty()) {
      const double product = stage_ns(*online, kProductStage);
      cells.insert(cells.end(),
                   {microseconds(overhead_ns(*online)), microseconds(product),
                    point.dense == nullptr ? kNone : microseconds(point.dense->time_ns->median - product)});
    } else {
      cells.insert(cells.end(), 3, kNone);
    }
    for (const char* mode : {kOnline, kNaive}) {
      for (std::string& cell : change_cells(point, mode)) cells.push_back(std::move(cell));
    }
    table.add(cells);
  }
  return table.markdown();
}

bool has_bars(const Layer& layer) {
  return std::any_of(layer.points.begin(), layer.points.end(),
                     [](const LayerPoint& point) { return !point.modes.empty(); });
}

std::string layers_section(const Results& results, const std::vector<Layer>& layers,
                           const std::string& prefix, Album& album) {
  std::string text =
      "### The stages inside a layer: overhead against saving\n\n"
      "The whole projection of one token, three ways, timed interleaved: dense, naive (rotate, top-k, "
      "scatter, rotate back, dense product) and "
      "online (rotate, top-k, product with the kept rows of rotated weights). Overhead is everything but the "
      "product; LaRoSA "
      "pays where the product saved is more than the overhead.\n\n";
  for (const Layer& layer : layers) {
    text += fmt::format("**{}**: break-even sparsity of online {}, of naive {}\n\n", escape(layer.name()),
                        break_even_text(layer, kOnline), break_even_text(layer, kNaive));
    text += layer_table(layer);
    text += reproduce(run_of(results, {layer.dtype, layer.in, layer.out}),
                      fmt::format("^larosa/layer/.*/{}/.*in:{}/out:{}/", layer.dtype, layer.in, layer.out));
    if (has_bars(layer)) text += album.add(stage_picture(layer, prefix));
  }
  return text;
}

std::string totals_table(const std::vector<Layer>& layers, const std::string& dtype) {
  std::map<int, std::map<std::string, TotalPoint>> at;
  for (const char* mode : kModes) {
    for (const TotalPoint& point : totals_of(layers, dtype, mode)) at[point.sparsity_permille][mode] = point;
  }
  Table table({{"sparsity"},
               {"dense µs"},
               {"naive µs"},
               {"online µs"},
               {"online over dense"},
               {"verdict", kLeft},
               {"naive over dense"},
               {"verdict", kLeft},
               {"bound 1/(1-s), computed"}});
  for (const auto& [permille, modes] : at) {
    const auto cell = [&](const char* mode, const std::function<std::string(const TotalPoint&)>& text) {
      const auto found = modes.find(mode);
      return found == modes.end() ? std::string(kNone) : text(found->second);
    };
    const auto candidate = [](const TotalPoint& point) { return microseconds(point.candidate.median); };
    const auto ratio = [](const TotalPoint& point) { return times(point.change.ratio); };
    const auto verdict = [](const TotalPoint& point) { return std::string(name_of(point.change.verdict)); };
    table.add({sparsity(permille), microseconds(modes.begin()->second.dense.median), cell(kNaive, candidate),
               cell(kOnline, candidate), cell(kOnline, ratio), cell(kOnline, verdict), cell(kNaive, ratio),
               cell(kNaive, verdict), permille < 1000 ? times(1 / (1 - permille / 1000.0)) : kNone});
  }
  return table.empty() ? ""
                       : fmt::format("**All {} layers together, each called once** (sums of medians)\n\n{}",
                                     escape(dtype), table.markdown());
}

std::string speedup_section(const std::vector<Layer>& layers, const std::string& prefix, Album& album) {
  std::string text = "### Speed-up and break-even\n\n";
  for (const std::string& dtype : dtypes_of(layers)) {
    text += totals_table(layers, dtype);
    text += album.add(speedup_picture(layers, dtype, prefix));
  }
  return text;
}

std::string topk_section(const Results& results) {
  std::vector<std::string> variants;
  std::map<std::tuple<int, int, int>, std::map<std::string, const Row*>> problems;
  for (const Row* row : results.rows()) {
    if (row->op != "larosa/topk") continue;
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

}  // namespace

std::string larosa_section(const Results& results, const std::vector<Layer>& layers,
                           const std::string& prefix, Album& album) {
  std::string rows;
  for (const MicrobenchRun& run : results.runs) {
    if (std::none_of(run.rows.begin(), run.rows.end(),
                     [](const Row& row) { return row.family() == "larosa"; }))
      continue;
    rows += details(fmt::format("Every LaRoSA row of {}", run.origin.files.front().path),
                    "larosa/layer declares the dense layer's bytes and operations in every mode, so its GB/s "
                    "and GFLOP/s are what a dense layer would "
                    "have needed to be as fast.\n\n" +
                        row_table(run, "larosa"));
  }
  if (rows.empty()) return "";
  std::string text = "## LaRoSA on the CPU\n\n" + stages_section(results);
  if (!layers.empty())
    text += layers_section(results, layers, prefix, album) + speedup_section(layers, prefix, album);
  return text + topk_section(results) + rows;
}

std::string other_ops_section(const Results& results) {
  std::string text;
  for (const MicrobenchRun& run : results.runs) {
    std::vector<std::string> families;
    for (const Row& row : run.rows) {
      if (row.family() != "larosa" &&
          std::find(families.begin(), families.end(), row.family()) == families.end()) {
        families.push_back(row.family());
      }
    }
    for (const std::string& family : families)
      text += fmt::format("### {}\n\n", escape(family)) + row_table(run, family);
  }
  return text.empty() ? "" : "## Other operations\n\n" + text;
}

std::string Album::add(Picture picture) {
  if (!open_) return "";
  const std::string text = fmt::format("![{}]({})\n\n", escape(picture.alt), escape_url(picture.file));
  pictures_.push_back(std::move(picture));
  return text;
}

}  // namespace trisect::report
