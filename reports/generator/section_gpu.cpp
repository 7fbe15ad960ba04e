#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "reports/generator/devices.hpp"
#include "reports/generator/markdown.hpp"
#include "reports/generator/sections.hpp"
#include "reports/generator/units.hpp"

namespace trisect::report {
namespace {

constexpr NamedDevice kDevices[] = {kA100, kH100, kRtx4090};

constexpr int kShownPermille = 500;

bool is_stage(const Row& row) {
  constexpr const char* kOps[] = {"dense/gemv", "larosa/rotate", "larosa/topk", "larosa/scatter",
                                  "larosa/sparse_gemv"};
  return std::find(std::begin(kOps), std::end(kOps), row.op) != std::end(kOps) && row.field("rows", 1) == 1 &&
         row.field("sparsity_permille", kShownPermille) == kShownPermille &&
         (row.dtype.empty() || row.dtype == "bf16");
}

std::string problem_of(const Row& row) {
  std::string text;
  for (const auto& [field, value] : row.problem) {
    if (field != "rows") text += fmt::format("{}{}:{}", text.empty() ? "" : " ", field, value);
  }
  return text;
}

/// The same problem of one op on both kinds of device.
struct Stage {
  const Row *cpu = nullptr, *gpu = nullptr;  // the fastest that was timed, or any that ran
  double bytes = 0;
};

void take_better(const Row& row, const Row*& best) {
  const bool better =
      best == nullptr || (row.time_ns && (!best->time_ns || row.time_ns->median < best->time_ns->median));
  if (better) best = &row;
}

std::string timed(const Row* row) {
  if (row == nullptr) return kNone;
  return escape(row->variant) + (row->time_ns    ? " " + microseconds(row->time_ns->median)
                                 : row->emulated ? " (emulated)"
                                                 : "");
}

std::string stages(const Results& results) {
  std::map<std::tuple<std::string, std::string>, Stage> found;
  for (const Row* row : results.rows()) {
    if (!is_stage(*row) || row->status != "pass") continue;
    Stage& stage = found[{row->op, problem_of(*row)}];
    take_better(*row, row->device == "cpu" ? stage.cpu : stage.gpu);
    stage.bytes = row->bytes;
  }
  if (found.empty()) return "";
  std::vector<Table::Column> columns = {
      {"stage", kLeft}, {"problem", kLeft}, {"CPU: fastest, µs", kLeft}, {"GPU: fastest, µs", kLeft},
      {"GPU launches"}, {"bytes"}};
  for (const NamedDevice& device : kDevices) columns.push_back({fmt::format("bound, {} µs", device.name)});
  Table table(columns);
  for (const auto& [key, stage] : found) {
    std::vector<std::string> cells = {
        std::get<0>(key),
        std::get<1>(key),
        timed(stage.cpu),
        timed(stage.gpu),
        stage.gpu != nullptr && stage.gpu->launches ? fmt::format("{}", *stage.gpu->launches) : kNone,
        bytes(stage.bytes)};
    for (const NamedDevice& device : kDevices) cells.push_back(number(stage.bytes / device.gbps / 1e3));
    table.add(cells);
  }
  return "One token, bf16; what selects keeps half. A bound is the declared bytes over the bandwidth that "
         "the device's data "
         "sheet states: no kernel can be faster, none was measured to be as fast.\n\n" +
         table.markdown();
}

/// Sparsity from which rotating, selecting and skipping reads less and waits less than the dense product.
std::string break_even(double in, double out, bool rotated, const NamedDevice& device) {
  const double bytes_per_launch = kLaunchSeconds * device.gbps * 1e9, weights = 2 * in * out;
  const double extra =
      rotated ? 2 * in * in + bytes_per_launch : 0;  // the fused product is one launch, as the dense one
  return percent(extra / weights);
}

std::string break_evens() {
  std::vector<Table::Column> columns = {{"layer", kLeft}};
  for (const NamedDevice& device : kDevices) columns.push_back({fmt::format("model, {}", device.name)});
  Table table(columns);
  for (const auto& [name, in, out, rotated] : {std::tuple{"2560→17920, rotated", 2560, 17920, true},
                                               std::tuple{"12800→2560, selected only", 12800, 2560, false}}) {
    std::vector<std::string> cells = {name};
    for (const NamedDevice& device : kDevices) cells.push_back(break_even(in, out, rotated, device));
    table.add(cells);
  }
  return fmt::format(
             "Break-even sparsity, modelled: bytes at the same bandwidth, and {} for the launch that a "
             "rotation adds. "
             "Selecting costs nothing here because the fused kernel finds the threshold from a vector in the "
             "cache.\n\n",
             seconds(kLaunchSeconds)) +
         table.markdown();
}

std::string layer_launches(const Results& results) {
  Table table(
      {{"layer", kLeft}, {"variant", kLeft}, {"type", kLeft}, {"launches"}, {"median µs"}, {"check", kLeft}});
  for (const Row* row : results.rows()) {
    if (row->op != kLayerOp || row->device == "cpu" || row->status == "skipped" || row->field("rows", 1) != 1)
      continue;
    if (row->field("sparsity_permille") != kShownPermille) continue;
    table.add({fmt::format("{}→{}{}", row->field("in"), row->field("out"),
                           row->field("is_rotated", 1) != 0 ? " rotated" : ""),
               escape(row->variant), escape(row->dtype),
               row->launches ? fmt::format("{}", *row->launches) : kNone,
               row->time_ns ? microseconds(row->time_ns->median) : kNone, check_text(*row)});
  }
  return table.empty()
             ? ""
             : "Launches of a whole layer on the device, counted in a recorded graph:\n\n" + table.markdown();
}

}  // namespace

std::string gpu_section(const Results& results) {
  const std::string table = stages(results), launches = layer_launches(results);
  if (table.empty() && launches.empty()) return "";
  std::string text = "## CPU and GPU side by side\n\n";
  bool measured = false;
  for (const MicrobenchRun& run : results.runs) {
    if (!run.accelerator) continue;
    text += fmt::format(
        "- {}: {}\n", escape(run.accelerator->name),
        run.accelerator->emulated ? "emulated on a CPU. What ran there was checked; its times are left out."
        : run.accelerator->bandwidth_gbps
            ? fmt::format("{} GB/s by its clock and bus", number(*run.accelerator->bandwidth_gbps))
            : "its bandwidth is unknown");
    measured = measured || !run.accelerator->emulated;
  }
  if (!measured)
    text +=
        "- No GPU was measured: its column holds no time. A run with --device=all on a machine with one "
        "fills it; "
        "results of several machines are put side by side.\n";
  return text + "\n" + table + launches + break_evens();
}

}  // namespace trisect::report
