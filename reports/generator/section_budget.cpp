// Whether a decode step is explained: by the stages that were timed in it, and by its kernels as microbench
// timed them alone.
#include <fmt/format.h>

#include "reports/generator/compare_figures.hpp"
#include "reports/generator/markdown.hpp"
#include "reports/generator/sections.hpp"
#include "reports/generator/units.hpp"

namespace trisect::report {
namespace {

constexpr double kCloses = 0.10;
constexpr char kGemv[] = "dense/gemv";

/// A kernel of the dense decode step.
struct Kernel {
  const char* stage;
  const char* op;
  int times;
  std::map<std::string, int> problem;  ///< what must be so; other fields may be anything
};

std::vector<Kernel> kernels_of(const Model& model) {
  return {{"norm", "dense/layernorm", model.layers + 1, {{"rows", 1}, {"n", model.hidden}}},
          {"in_product",
           kGemv,
           model.layers,
           {{"in", model.hidden}, {"out", 3 * model.hidden + model.intermediate}}},
          {"gelu", "dense/gelu", model.layers, {{"rows", 1}, {"n", model.intermediate}}},
          {"out_product",
           kGemv,
           model.layers,
           {{"in", model.hidden + model.intermediate}, {"out", model.hidden}}},
          {"head", kGemv, 1, {{"in", model.hidden}, {"out", model.vocab}}}};
}

/// The row of the variant that the side ran.
const Row* row_of(const Results& results, const CompareRun& run, const Kernel& kernel) {
  const auto variant = run.baseline().variants.find(kernel.op);
  for (const Row* row : results.rows()) {
    if (row->op != kernel.op || !row->time_ns || row->device != run.settings.device) continue;
    if (kernel.op == std::string_view(kGemv) && row->dtype != run.settings.dtype) continue;
    if (variant != run.baseline().variants.end() && row->variant != variant->second) continue;
    if (variant == run.baseline().variants.end() && row->variant == "ref") continue;
    const bool fits = std::all_of(kernel.problem.begin(), kernel.problem.end(),
                                  [&](const auto& want) { return row->field(want.first) == want.second; });
    if (fits) return row;
  }
  return nullptr;
}

/// A kernel's seconds in a machine of the comparison's bandwidth: what reads cold weights takes longer in
/// slow memory.
double scaled_s(const Row& row, const CompareRun& run, int times) {
  const double seconds = row.time_ns->median * 1e-9 * times;
  const bool scales = row.weights == "cold" && row.probe_gbps && run.mean_probe_gbps;
  return scales ? seconds * *row.probe_gbps / *run.mean_probe_gbps : seconds;
}

std::string closes(double explained, double measured) {
  const double share = explained / measured;
  return fmt::format(
      "{} of {} ({}): the budget {}", seconds(explained), seconds(measured), percent(share),
      std::abs(share - 1) <= kCloses ? "closes to within 10 %" : "does NOT close to within 10 %");
}

std::string stages_budget(const CompareRun& run) {
  Table table({{"a decode step", kLeft}, {"stages together"}, {"measured"}, {"explained"}});
  for (const Side& side : run.sides) {
    const auto steps = figures_of(side, run.prompts.size());
    if (!steps.decode || all_stages_s(side) <= 0) continue;
    // Means on both sides: the stages are known as sums only.
    double measured = 0, count = 0;
    for (const Generation& generation : side.generations) {
      measured += generation.decode_s;
      count += static_cast<double>(generation.token_s.size());
    }
    measured /= count;
    table.add({escape(side.name), seconds(all_stages_s(side)), seconds(measured),
               percent(all_stages_s(side) / measured)});
  }
  return table.empty() ? "" : table.markdown() + "\n";
}

std::string kernels_budget(const CompareRun& run, const Results& results) {
  Table table({{"baseline's step", kLeft},
               {"kernel", kLeft},
               {"times"},
               {"one, alone"},
               {"all, at this run's bandwidth"},
               {"measured in the step"}});
  double explained = 0, measured = 0;
  for (const Kernel& kernel : kernels_of(run.model)) {
    const Row* row = row_of(results, run, kernel);
    const double stage = stage_s(run.baseline(), kernel.stage);
    if (row == nullptr) {
      if (kernel.op != std::string_view(kGemv)) continue;  // the small ones may be missing
      return "";
    }
    const double all = scaled_s(*row, run, kernel.times);
    explained += all;
    measured += stage;
    table.add({kernel.stage, code(row->name), std::to_string(kernel.times),
               seconds(row->time_ns->median * 1e-9), seconds(all), seconds(stage)});
  }
  const double rest = all_stages_s(run.baseline()) - measured;
  return table.markdown() + fmt::format(
                                "Kernels explain {}. The stages without a row here (attention with rope and "
                                "the cache, embedding) "
                                "took {} more of {}.\n\n",
                                closes(explained, measured), seconds(rest),
                                seconds(all_stages_s(run.baseline())));
}

}  // namespace

std::string budget_section(const CompareRun& run, const Results& results) {
  const std::string stages = stages_budget(run);
  if (stages.empty()) return "";
  std::string text =
      "### Budget\n\nThe stages that are timed inside a step, against the step (means):\n\n" + stages;
  const std::string kernels = kernels_budget(run, results);
  if (kernels.empty())
    return text + fmt::format(
                      "Kernels of {}'s shapes are not among the microbenchmarks here, so the stages are not "
                      "explained by them.\n\n",
                      escape(run.model.name));
  return text + "The kernels as microbench timed them alone, on cold weights, against the same stages:\n\n" +
         kernels;
}

}  // namespace trisect::report
