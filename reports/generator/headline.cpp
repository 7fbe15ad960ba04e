#include "reports/generator/headline.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "reports/generator/curves.hpp"
#include "reports/generator/markdown.hpp"
#include "reports/generator/sections.hpp"
#include "reports/generator/units.hpp"

namespace trisect::report {
namespace {

/// The mode and the rotation of the sweep that a way of a block runs; naive computes what online does.
struct Ran {
  const char *way, *mode, *rotation;
};
constexpr Ran kRan[] = {{kNaive, "online", "layer"},
                        {kOnline, "online", "layer"},
                        {kMergedLayer, "merged", "layer"},
                        {kMergedGlobal, "merged", "global"}};

std::string span_of(double low, double high, std::string (*shown)(double)) {
  const std::string first = shown(low), last = shown(high);
  return first == last ? first : first + " to " + last;
}

std::string quality_text(const std::optional<WayQuality>& quality) {
  return quality ? fmt::format("{} ({})", number(quality->perplexity), signed_percent(quality->price - 1))
                 : kNone;
}

}  // namespace

std::optional<Work> headline_work(const std::vector<Layer>& layers) {
  for (const std::string& dtype : dtypes_of(layers)) {
    const auto block = block_of(layers, dtype);
    if (!block) continue;
    Work work = work_of(*block);
    if (!work.at.empty()) return work;
  }
  return std::nullopt;
}

std::vector<int> headline_sparsities(const Work& work) {
  std::vector<int> found;
  for (const int permille : {400, 500}) {
    if (work.at.contains(permille)) found.push_back(permille);
  }
  if (found.empty()) found.push_back(work.at.rbegin()->first);
  return found;
}

std::optional<WayQuality> quality_of(const Results& results, const std::string& way, int permille) {
  if (results.sweeps.empty() || !results.sweeps.front().dense_perplexity) return std::nullopt;
  const SweepRun& run = results.sweeps.front();
  const auto* ran =
      std::find_if(std::begin(kRan), std::end(kRan), [&](const Ran& one) { return one.way == way; });
  if (ran == std::end(kRan)) return std::nullopt;
  for (const SweepPoint& point : run.points) {
    if (point.mode == ran->mode && point.rotation == ran->rotation && !point.prefill &&
        point.sparsity_permille == permille && point.perplexity)
      return WayQuality{*point.perplexity, *point.perplexity / *run.dense_perplexity};
  }
  return std::nullopt;
}

std::vector<AgainstCache> against_caches(const std::vector<TraceRun>& runs) {
  std::vector<AgainstCache> all;
  for (const TraceJudgement& one : judge_traces(runs)) {
    const double granule = one.run->granule_bytes;
    auto found = std::find_if(all.begin(), all.end(), [&](const AgainstCache& it) {
      return it.other == one.other && it.granule_bytes == granule;
    });
    if (found == all.end()) {
      all.push_back({one.other, granule, 0, 0, 0, one.saved, one.saved, one.step_ratio, one.step_ratio});
      found = all.end() - 1;
    }
    ++(one.pays == Pays::kYes ? found->yes : one.pays == Pays::kTrade ? found->trade : found->no);
    found->saved_low = std::min(found->saved_low, one.saved);
    found->saved_high = std::max(found->saved_high, one.saved);
    found->step_low = std::min(found->step_low, one.step_ratio);
    found->step_high = std::max(found->step_high, one.step_ratio);
  }
  std::stable_sort(all.begin(), all.end(), [](const AgainstCache& a, const AgainstCache& b) {
    return a.granule_bytes < b.granule_bytes;
  });
  return all;
}

std::string larosa_headline(const Results& results, const std::vector<Layer>& layers) {
  const auto work = headline_work(layers);
  if (!work) return "";
  const std::vector<int> sparsities = headline_sparsities(*work);
  std::vector<Table::Column> columns = {{"way", kLeft}, {"faster from a sparsity of", kLeft}};
  for (const int permille : sparsities) {
    columns.push_back({fmt::format("block at {}, over dense", sparsity(permille))});
    columns.push_back({"judged", kLeft});
    columns.push_back({fmt::format("perplexity at {}", sparsity(permille))});
  }
  Table table(columns);
  for (const std::string& way : work->ways) {
    std::vector<std::string> cells = {way, break_even_text(*work, way)};
    for (const int permille : sparsities) {
      const Way* at = work->find(permille, way);
      cells.push_back(at == nullptr ? kNone : times(at->faster().ratio));
      cells.emplace_back(at == nullptr ? kNone : name_of(at->faster().verdict));
      cells.push_back(quality_text(quality_of(results, way, permille)));
    }
    table.add(cells);
  }
  std::string text = table.markdown() + fmt::format(
                                            "Speed: {}, one token, medians with the ratios of the facing "
                                            "quartiles.",
                                            escape(work->name));
  if (!results.sweeps.empty() && results.sweeps.front().dense_perplexity) {
    const SweepRun& run = results.sweeps.front();
    text += fmt::format(
        " Perplexity: {} on {}, where naive computes what online does, calibrated rotations, dropping in "
        "decoding alone; dense has {}. These are "
        "two "
        "models: {}'s weights fit into a cache, phi-2's do not.",
        escape(run.model.name), escape(run.text), number(*run.dense_perplexity), escape(run.model.name));
  }
  return text + "\n\n";
}

std::string vattention_headline(const Results& results) {
  const auto all = against_caches(results.traces);
  if (all.empty()) return "";
  Table table({{"vattention against", kLeft},
               {"granules"},
               {"committed memory saved", kLeft},
               {"its steps over the other's", kLeft},
               {"pays"},
               {"a trade"},
               {"does not"}});
  for (const AgainstCache& one : all) {
    table.add({code(one.other), bytes(one.granule_bytes),
               span_of(one.saved_low, one.saved_high, signed_percent),
               span_of(one.step_low, one.step_high, times), fmt::format("{}", one.yes),
               fmt::format("{}", one.trade), fmt::format("{}", one.no)});
  }
  return table.markdown() +
         fmt::format(
             "Over {} of {}, averages over steps; the last columns count traces. Negative: more memory.\n\n",
             count(static_cast<long>(results.traces.size()), "trace"), trace_models(results.traces));
}

std::string adaptivocab_headline(const Results& results) {
  if (results.vocabularies.empty()) return "";
  const VocabularyRun& run = results.vocabularies.front();
  std::vector<Table::Column> columns = {{"text", kLeft}, {"tokens"}};
  for (const VocabularySide& side : run.sides)
    columns.push_back({"bits per character, " + escape(side.name)});
  Table table(columns);
  for (const TokenizedText& text : run.texts) {
    std::vector<std::string> cells = {escape(text.name), signed_percent(-text.reduction())};
    std::optional<double> base;
    for (const VocabularySide& side : run.sides) {
      const auto found = std::find_if(side.quality.begin(), side.quality.end(),
                                      [&](const TextQuality& quality) { return quality.text == text.name; });
      const auto bits = found == side.quality.end() ? std::nullopt : found->bits_per_character;
      if (&side == &run.sides.front()) base = bits;
      cells.push_back(!bits ? kNone
                      : &side != &run.sides.front() && base && *base > 0
                          ? fmt::format("{:.4f} ({})", *bits, signed_percent(*bits / *base - 1))
                          : fmt::format("{:.4f}", *bits));
    }
    table.add(cells);
  }
  std::string text = table.markdown() + fmt::format("{} with {} more tokens; lower bits are better.",
                                                    escape(run.model.name), run.added);
  const std::string output = vocabulary_output(run);
  return text + (output.empty() ? "" : " " + output) + "\n\n";
}

}  // namespace trisect::report
