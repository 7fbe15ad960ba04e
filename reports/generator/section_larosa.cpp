#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>

#include "reports/generator/markdown.hpp"
#include "reports/generator/sections.hpp"
#include "reports/generator/units.hpp"

namespace trisect::report {
namespace {

/// The run whose command line reproduces the layer's rows.
const MicrobenchRun& run_of(const Results& results, const Layer& layer) {
  const LayerPoint& point = layer.points.front();
  return results.runs[(point.dense != nullptr ? point.dense : point.modes.begin()->second)->run];
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
      "pays where the product saved is more than the overhead. An unrotated layer selects from its input as "
      "it is, so rotating and rotating back fall away.\n\n";
  for (const std::string& dtype : dtypes_of(layers)) {
    if (!is_phi2_block(layers, dtype)) continue;
    text +=
        "A block of phi-2 has these two: q, k, v and fc1 as one product of the rotated input (2560→17920), "
        "dense and fc2 as one of what attention and gelu wrote (2560 + 10240→2560), which LaRoSA does not "
        "rotate. The model selects from attention's and gelu's parts separately; here one selection from all "
        "12800 stands for the two.\n\n";
    break;
  }
  for (const Layer& layer : layers) {
    text += fmt::format("**{}**: break-even sparsity of online {}, of naive {}\n\n", escape(layer.name()),
                        break_even_text(layer, kOnline), break_even_text(layer, kNaive));
    text += layer_table(layer);
    text += reproduce(run_of(results, layer),
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
                       : fmt::format("**{} together, each called once** (sums of medians)\n\n{}",
                                     escape(total_name(layers, dtype)), table.markdown());
}

std::string speedup_section(const std::vector<Layer>& layers, const std::string& prefix, Album& album) {
  std::string text = "### Speed-up and break-even\n\n";
  for (const std::string& dtype : dtypes_of(layers)) {
    text += totals_table(layers, dtype);
    text += album.add(speedup_picture(layers, dtype, prefix));
  }
  return text;
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
