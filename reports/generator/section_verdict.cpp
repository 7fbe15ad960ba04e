#include <fmt/format.h>

#include <algorithm>

#include "reports/generator/compare_figures.hpp"
#include "reports/generator/markdown.hpp"
#include "reports/generator/sections.hpp"
#include "reports/generator/trace_verdict.hpp"
#include "reports/generator/units.hpp"
#include "reports/generator/ways.hpp"

namespace trisect::report {
namespace {

bool ever_faster(const Layer& layer, const std::string& mode) {
  return std::any_of(layer.points.begin(), layer.points.end(), [&](const LayerPoint& point) {
    const auto change = point.change_of(mode);
    return change && change->verdict == Verdict::kFaster;
  });
}

std::string naive_sentence(const std::vector<Work>& works) {
  std::optional<Best> best;
  for (const Work& work : works) {
    const auto found = best_of(work, kNaive);
    if (!found) continue;
    const bool faster = found->ever_faster || (best && best->ever_faster);
    if (!best || found->ratio.centre > best->ratio.centre) best = found;
    best->ever_faster = faster;
  }
  if (!best) return "";
  return fmt::format(
      " The way naive, which rotates back and reads every weight, {}: at best {} of the dense speed.",
      best->ever_faster ? "is faster somewhere" : "is nowhere judged faster", times(best->ratio));
}

std::string enumerated(const std::vector<std::string>& parts) {
  std::string text;
  for (std::size_t i = 0; i < parts.size(); ++i)
    text += (i == 0 ? "" : i + 1 == parts.size() ? " and " : ", ") + parts[i];
  return text;
}

/// Of what was measured in every way, the sparsity to speak of: one that is wanted, else the largest.
int telling(const Work& work, const std::vector<int>& wanted) {
  for (const int permille : wanted) {
    if (work.at.contains(permille)) return permille;
  }
  return work.at.rbegin()->first;
}

std::string block_sentences(const Work& work, const Results& results) {
  std::vector<std::string> paying, speeds, break_evens;
  const int permille = telling(work, wanted_sparsities(results));
  for (const std::string& way : work.ways) {
    if (way == kNaive) continue;
    if (best_of(work, way)->ever_faster) paying.push_back(way);
    if (const Way* found = work.find(permille, way)) {
      const Change change = found->faster();
      speeds.push_back(fmt::format("{} {} ({})", way, times(change.ratio), name_of(change.verdict)));
    }
    break_evens.push_back(way + " " + break_even_text(work, way));
  }
  const std::string cpu = escape(results.runs.front().origin.environment.cpu);
  const std::string name = escape(work.name);
  std::string text =
      paying.empty()
          ? fmt::format(
                "**LaRoSA does not pay for {} on this CPU ({}).** No way of running it is faster than dense "
                "at any sparsity measured.",
                name, cpu)
          : fmt::format("**LaRoSA pays for {} on this CPU ({}): {}.**", name, cpu, enumerated(paying));
  if (!speeds.empty())
    text += fmt::format(" Speed over dense at {} sparsity: {}.", sparsity(permille), fmt::join(speeds, ", "));
  if (!paying.empty()) text += fmt::format(" Break-even sparsity: {}.", fmt::join(break_evens, "; "));
  return text + naive_sentence({work});
}

std::string layers_sentences(const std::vector<Layer>& layers, const Results& results) {
  const auto faster =
      std::count_if(layers.begin(), layers.end(), [](const Layer& l) { return ever_faster(l, kOnline); });
  const std::string where = escape(results.runs.front().origin.environment.cpu);
  std::vector<Work> works;
  for (const Layer& layer : layers) works.push_back(work_of(layer));
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
    std::vector<std::string> break_evens;
    for (const Work& work : works)
      break_evens.push_back(fmt::format("{} {}", work.name, break_even_text(work, kOnline)));
    text += fmt::format(" Break-even sparsity: {}.", fmt::join(break_evens, "; "));
  }
  return text + naive_sentence(works);
}

/// Of phi-2's blocks where they were measured, else of every layer.
std::string speed_sentences(const std::vector<Layer>& layers, const Results& results) {
  std::string text;
  for (const std::string& dtype : dtypes_of(layers)) {
    const auto block = block_of(layers, dtype);
    if (!block) continue;
    const Work work = work_of(*block);
    if (!work.at.empty()) text += (text.empty() ? "" : " ") + block_sentences(work, results);
  }
  return text.empty() ? layers_sentences(layers, results) : text;
}

std::string quality_price(const CompareRun& run, const Side& side) {
  const auto &base = run.baseline().quality, &ours = side.quality;
  if (!base || !ours || !base->bits_per_character || !ours->bits_per_character) return "";
  return fmt::format(", {} bits per character",
                     signed_percent(*ours->bits_per_character / *base->bits_per_character - 1));
}

/// Each part alone and all of them together.
std::string compare_sentences(const CompareRun& run) {
  std::vector<std::string> clauses;
  for (const Side& side : run.sides) {
    const bool together = side.parts.size() > 1 && &side == &run.sides.back();
    if (side.parts.size() != 1 && !together) continue;
    const auto speed = figures_of(run, side).speed;
    if (!speed) {
      clauses.push_back(escape(side.name) + ": not finished, so not compared");
      continue;
    }
    std::string clause =
        fmt::format("{} {} ({}", escape(side.name), times(speed->ratio), name_of(speed->verdict));
    if (run.baseline().memory && side.memory)
      clause += fmt::format(", peak memory {}",
                            signed_percent(side.memory->peak / run.baseline().memory->peak - 1));
    clause += quality_price(run, side) + ")";
    if (const auto product = together ? product_of_parts(run, side) : std::nullopt)
      clause += fmt::format(", where the parts' product is {}", times(*product));
    clauses.push_back(std::move(clause));
  }
  const std::string text = run.settings.forced_text.empty() ? "Writing text" : "Decoding given text";
  return fmt::format(
      "{} with {}, as a multiple of the baseline's characters a second: {}.{}", text, escape(run.model.name),
      fmt::join(clauses, "; "),
      !is_synthetic(run.model) ? "" : " These weights are random: this says nothing of quality.");
}

}  // namespace

std::vector<int> wanted_sparsities(const Results& results) {
  std::vector<int> wanted;
  for (const CompareRun& run : results.comparisons) {
    if (!run.settings.larosa_mode.empty()) wanted.push_back(run.settings.sparsity_permille);
  }
  wanted.push_back(500);
  return wanted;
}

std::string verdict_of(const Results& results, const std::vector<Layer>& layers) {
  std::vector<std::string> paragraphs;
  if (!layers.empty()) paragraphs.push_back(speed_sentences(layers, results));
  for (const CompareRun& run : results.comparisons) paragraphs.push_back(compare_sentences(run));
  for (const SweepRun& run : results.sweeps) {
    if (std::string headline = quality_headline(run, results); !headline.empty())
      paragraphs.push_back(std::move(headline));
  }
  for (const VocabularyRun& run : results.vocabularies) paragraphs.push_back(vocabulary_headline(run));
  if (results.comparisons.empty() && results.sweeps.empty() && !layers.empty())
    paragraphs.back() += " The price in quality was not measured here.";
  if (const std::string verdict = trace_verdict(results.traces); !verdict.empty())
    paragraphs.push_back(verdict.substr(0, verdict.find(".**") + 3));  // the whole of it is with the traces
  if (paragraphs.empty())
    return "No layer of LaRoSA, no generation, no quality and no trace was measured to the end, so there is "
           "no verdict.";
  return fmt::format("{}", fmt::join(paragraphs, "\n\n"));
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
  for (const Row* row : results.rows()) used = used || (row->device != "cpu" && row->time_ns);
  for (const CompareRun& run : results.comparisons) used = used || run.settings.device != "cpu";
  for (const SweepRun& run : results.sweeps) used = used || run.device != "cpu";
  for (const TraceRun& run : results.traces) used = used || run.device != "cpu";
  for (const VocabularyRun& run : results.vocabularies) used = used || run.device != "cpu";
  constexpr char kCpuOnly[] = "every number here was measured on a CPU and says nothing about a GPU";
  if (none) return fmt::format("> **No GPU was present: {}.**\n\n", kCpuOnly);
  if (used) return "";
  if (unknown) return fmt::format("> **Whether a GPU was present is unknown; {}.**\n\n", kCpuOnly);
  return fmt::format("> **A GPU was present ({}) but not used: {}.**\n\n", escape(name), kCpuOnly);
}

}  // namespace trisect::report
