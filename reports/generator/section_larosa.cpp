#include <fmt/format.h>

#include <algorithm>

#include "reports/generator/markdown.hpp"
#include "reports/generator/pictures.hpp"
#include "reports/generator/sections.hpp"
#include "reports/generator/units.hpp"

namespace trisect::report {
namespace {

/// The run whose command line reproduces the layer's rows.
const MicrobenchRun& run_of(const Results& results, const Layer& layer) {
  const LayerPoint& point = layer.points.front();
  return results.runs[(point.dense != nullptr ? point.dense : point.modes.begin()->second)->run];
}

/// The stages that some way at some sparsity has.
std::vector<std::string> stages_of(const Work& work) {
  std::vector<std::string> stages;
  for (const char* stage : kStages) {
    const auto has = [&](const auto& point) {
      return std::any_of(point.second.begin(), point.second.end(),
                         [&](const auto& way) { return way.second.stage_ns.contains(stage); });
    };
    if (std::any_of(work.at.begin(), work.at.end(), has)) stages.emplace_back(stage);
  }
  return stages;
}

/// A row for each way at each sparsity: `cells` of it behind its name.
template <class Cells>
std::string table_of_ways(const Work& work, const std::vector<Table::Column>& more, Cells cells) {
  std::vector<Table::Column> columns = {{"sparsity"}, {"way", kLeft}};
  columns.insert(columns.end(), more.begin(), more.end());
  Table table(columns);
  for (const auto& [permille, ways] : work.at) {
    for (const std::string& name : work.ways) {
      const auto found = ways.find(name);
      if (found == ways.end()) continue;
      std::vector<std::string> row = {sparsity(permille), name};
      for (std::string& cell : cells(found->second)) row.push_back(std::move(cell));
      table.add(row);
    }
  }
  return table.markdown();
}

std::string way_table(const Work& work) {
  return table_of_ways(work,
                       {{"whole µs"},
                        {"dense µs"},
                        {"speed-up"},
                        {"verdict", kLeft},
                        {"weights read, computed"},
                        {"ceiling, model"},
                        {"of the ceiling"}},
                       [](const Way& way) {
                         const Change change = way.faster();
                         return std::vector<std::string>{microseconds(way.time_ns.median),
                                                         microseconds(way.dense_ns.median),
                                                         times(change.ratio),
                                                         std::string(name_of(change.verdict)),
                                                         bytes(way.weight_bytes),
                                                         times(way.ceiling()),
                                                         percent(change.ratio.centre / way.ceiling())};
                       });
}

std::string stage_table(const Work& work) {
  const std::vector<std::string> stages = stages_of(work);
  std::vector<Table::Column> columns;
  for (const std::string& stage : stages) columns.push_back({fmt::format("{} µs", stage_title(stage))});
  columns.push_back({"whole µs"});
  return table_of_ways(work, columns, [&](const Way& way) {
    std::vector<std::string> cells;
    for (const std::string& stage : stages) {
      const auto time = way.stage_ns.find(stage);
      cells.push_back(time == way.stage_ns.end() ? kNone : microseconds(time->second));
    }
    cells.push_back(microseconds(way.time_ns.median));
    return cells;
  });
}

std::string break_even_table(const Work& work) {
  Table table({{"way", kLeft},
               {"break-even sparsity on this CPU", kLeft},
               {"break-even of its bytes, model", kLeft},
               {"largest speed-up measured", kLeft}});
  for (const std::string& way : work.ways) {
    table.add(
        {way, break_even_text(work, way), break_even_model(work, way), times(best_of(work, way)->ratio)});
  }
  return table.markdown();
}

std::string work_text(const Work& work, const std::string& prefix, Album& album) {
  if (work.at.empty()) return "";
  return break_even_table(work) + way_table(work) + "Its stages, medians:\n\n" + stage_table(work) +
         album.add(stage_picture(work, prefix));
}

std::string speedup_text(const Work& work, const std::string& prefix, Album& album) {
  return work.at.empty() ? "" : album.add(speedup_picture(work, prefix));
}

constexpr char kWaysText[] =
    "One token, weights from memory. *naive* is what a first implementation does: rotate, top-k, scatter to "
    "a dense vector, rotate back, dense product. *online* rotates, selects, and multiplies by the kept rows "
    "of rotated weights. *merged* has the rotations in the weights, so that it only selects and multiplies "
    "by the kept rows; with a rotation of its own for each layer (*merged layer*) an adapter of hidden × "
    "hidden carries the residual stream from one layer's to the next's, with one for all (*merged global*) "
    "nothing is rotated at run time. Every way stands beside the dense product that it was timed "
    "interleaved with.\n\nThe weights that a way has to read, rotations and adapter included, are computed "
    "from the shapes. The ceiling is a model and no measurement: how much faster the way would be if "
    "nothing but reading these bytes took time. What exceeds it is noise, or weights that stayed in a "
    "cache.\n\n";

constexpr char kBlockText[] =
    "q, k, v and fc1 as one product of one input (2560→17920), dense and fc2 as one of what attention and "
    "gelu wrote (2560 + 10240→2560), which no way rotates; each once, at the same sparsity: sums of "
    "medians. The model selects from attention's and gelu's parts separately, here one selection from all "
    "12800 stands for the two. The adapter is online's stage rotate, the same kernel on the same shape, as "
    "a share of the dense product beside it. Naive and online were timed interleaved with each other, the "
    "merged ways in a group of their own, so compare speed-ups, not times.\n\n";

std::string again(const Results& results, const Layer& layer) {
  return reproduce(run_of(results, layer),
                   fmt::format("^larosa/layer/.*/{}/in:{}/out:{}/is_rotated:{}/", layer.dtype, layer.in,
                               layer.out, layer.rotated ? 1 : 0));
}

/// Blocks first, their layers folded away; layers that make no block stand for themselves.
std::string ways_section(const Results& results, const std::vector<Layer>& layers, const std::string& prefix,
                         Album& album) {
  std::string text = kWaysText;
  for (const std::string& dtype : dtypes_of(layers)) {
    const auto block = block_of(layers, dtype);
    if (block) {
      const Work work = work_of(*block);
      text += fmt::format("### {}\n\n{}", escape(capitalized(work.name)), kBlockText) +
              work_text(work, prefix, album) + speedup_text(work, prefix, album);
    }
    for (const Layer& layer : layers) {
      if (layer.dtype != dtype) continue;
      const Work work = work_of(layer);
      const std::string body = work_text(work, prefix, album) + again(results, layer);
      text += block ? details("The layer " + work.name, body)
                    : fmt::format("### The layer {}\n\n{}", escape(work.name), body) +
                          speedup_text(work, prefix, album);
    }
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
  std::string text = "## LaRoSA on the CPU: where the time goes\n\n";
  if (!layers.empty()) text += ways_section(results, layers, prefix, album);
  return text + stages_section(results) + topk_section(results) + rows;
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
