#include <fmt/format.h>

#include <algorithm>

#include "reports/generator/compare_figures.hpp"
#include "reports/generator/markdown.hpp"
#include "reports/generator/sections.hpp"
#include "reports/generator/units.hpp"

namespace trisect::report {
namespace {

bool ever_faster(const Layer& layer, const std::string& mode) {
  return std::any_of(layer.points.begin(), layer.points.end(), [&](const LayerPoint& point) {
    const auto change = point.change_of(mode);
    return change && change->verdict == Verdict::kFaster;
  });
}

/// Of what is there, the sparsity to speak of: the comparison's own, else 50 %, else the largest.
std::size_t telling(const std::vector<TotalPoint>& totals, const Results& results) {
  std::vector<int> wanted;
  for (const CompareRun& run : results.comparisons) wanted.push_back(run.settings.sparsity_permille);
  wanted.push_back(500);
  for (const int permille : wanted) {
    for (std::size_t i = 0; i < totals.size(); ++i) {
      if (totals[i].sparsity_permille == permille) return i;
    }
  }
  return totals.size() - 1;
}

std::string totals_sentence(const std::vector<Layer>& layers, const std::string& dtype,
                            const Results& results) {
  const auto totals = totals_of(layers, dtype, kOnline);
  if (totals.empty()) return "";
  const TotalPoint& point = totals[telling(totals, results)];
  return fmt::format(" {} together run at {} of the dense speed at {} sparsity ({}).",
                     escape(total_name(layers, dtype)), times(point.change.ratio),
                     sparsity(point.sparsity_permille), name_of(point.change.verdict));
}

std::string naive_sentence(const std::vector<Layer>& layers) {
  std::optional<Ratio> best;
  bool faster = false;
  for (const Layer& layer : layers) {
    faster = faster || ever_faster(layer, kNaive);
    for (const LayerPoint& point : layer.points) {
      const auto change = point.change_of(kNaive);
      if (change && (!best || change->ratio.centre > best->centre)) best = change->ratio;
    }
  }
  if (!best) return "";
  return fmt::format(
      " Mode naive, which rotates back and reads every weight, {}: at best {} of the dense speed.",
      faster ? "is faster somewhere" : "is nowhere faster", times(*best));
}

std::string layers_sentences(const std::vector<Layer>& layers, const Results& results) {
  const auto faster =
      std::count_if(layers.begin(), layers.end(), [](const Layer& l) { return ever_faster(l, kOnline); });
  const std::string where = escape(results.runs.front().origin.environment.cpu);
  std::string text;
  if (faster == 0) {
    text = fmt::format(
        "**LaRoSA does not pay for a linear layer on this CPU ({}).** In mode online no layer is "
        "faster than the dense product at any sparsity measured.",
        where);
  } else {
    text = fmt::format(
        "**LaRoSA pays for {} linear layers on this CPU ({}), in mode online.**",
        faster == static_cast<long>(layers.size()) ? "all" : fmt::format("{} of {}", faster, layers.size()),
        where);
    std::string list;
    for (const Layer& layer : layers) {
      list += fmt::format("{}{} {}", list.empty() ? "" : "; ", layer.name(), break_even_text(layer, kOnline));
    }
    text += " Break-even sparsity: " + list + ".";
  }
  for (const std::string& dtype : dtypes_of(layers)) text += totals_sentence(layers, dtype, results);
  return text + naive_sentence(layers);
}

std::string quality_sentence(const CompareRun& run) {
  const auto &base = run.baseline.quality, &optimized = run.optimized.quality;
  if (!base || !optimized || !base->perplexity || !optimized->perplexity)
    return " Its price in quality was not measured.";
  return fmt::format(" The price: perplexity {} instead of {} ({}).", number(*optimized->perplexity),
                     number(*base->perplexity),
                     signed_percent(*optimized->perplexity / *base->perplexity - 1));
}

std::string compare_sentences(const CompareRun& run) {
  const CompareFigures figures = figures_of(run);
  const std::string what =
      fmt::format("Generating with {} at {} sparsity, mode {}", escape(run.model.name),
                  sparsity(run.settings.sparsity_permille), escape(run.settings.larosa_mode));
  if (!figures.decode || !figures.total) return fmt::format(" {}: not finished, so not compared.", what);
  std::string text =
      fmt::format(" {}, decoding ran at {} of the baseline's speed ({}), the whole generation at {} ({}).",
                  what, times(figures.decode->ratio), name_of(figures.decode->verdict),
                  times(figures.total->ratio), name_of(figures.total->verdict));
  if (run.baseline.memory && run.optimized.memory) {
    text += fmt::format(" Peak memory: {} instead of {}.", bytes(run.optimized.memory->peak),
                        bytes(run.baseline.memory->peak));
  }
  text += quality_sentence(run);
  if (run.agreement) {
    text += fmt::format(" {} of {} generated texts are identical.", run.agreement->identical,
                        run.agreement->prompts);
  }
  return text;
}

}  // namespace

std::string verdict_of(const Results& results, const std::vector<Layer>& layers) {
  std::string text;
  if (!layers.empty()) text = layers_sentences(layers, results);
  for (const CompareRun& run : results.comparisons) text += compare_sentences(run);
  if (results.comparisons.empty() && !layers.empty()) text += " The price in quality was not measured here.";
  if (text.empty())
    text = "No layer of LaRoSA and no generation was measured to the end, so there is no verdict.";
  return text.substr(text.find_first_not_of(' '));
}

std::string time_line(const Results& results) {
  std::string first, last;  // ISO 8601 in UTC sorts as text
  for (const Origin* origin : results.origins()) {
    if (first.empty() || origin->started_utc < first) first = origin->started_utc;
    last = std::max(last, origin->finished_utc);
  }
  return fmt::format("Measured from {} to {} (UTC).\n\n", escape(first), escape(last));
}

std::string gpu_line(const Results& results) {
  bool none = false, unknown = false, used = false;
  std::string name;
  for (const Origin* origin : results.origins()) {
    const std::string& gpu = origin->environment.gpu;
    none = none || gpu == "none";
    unknown = unknown || gpu == "unknown" || gpu.empty();
    name = gpu;
  }
  for (const Row* row : results.rows()) used = used || row->device != "cpu";
  for (const CompareRun& run : results.comparisons) used = used || run.settings.device != "cpu";
  constexpr char kCpuOnly[] = "every number here was measured on a CPU and says nothing about a GPU";
  if (none) return fmt::format("> **No GPU was present: {}.**\n\n", kCpuOnly);
  if (used) return "";
  if (unknown) return fmt::format("> **Whether a GPU was present is unknown; {}.**\n\n", kCpuOnly);
  return fmt::format("> **A GPU was present ({}) but not used: {}.**\n\n", escape(name), kCpuOnly);
}

}  // namespace trisect::report
