#include "reports/generator/compare_figures.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "reports/generator/pairs.hpp"

namespace trisect::report {
namespace {

constexpr const char* kStages[] = {"embed",      "norm",      "rotate", "select",      "scatter",
                                   "in_product", "attention", "gelu",   "out_product", "head"};

struct Repetition {
  std::set<int> prompts;
  double prefill = 0, decode = 0, tokens_in = 0, tokens_out = 0, steps = 0, characters = 0;
  bool counted = true;
};

std::optional<Summary> summary_or_none(const std::vector<double>& samples) {
  return samples.empty() ? std::nullopt : std::optional(summarize(samples));
}

std::optional<Change> change_or_none(const std::optional<Summary>& base,
                                     const std::optional<Summary>& candidate) {
  if (!base || !candidate || base->q1 <= 0 || candidate->q1 <= 0) return std::nullopt;
  return change(*base, *candidate);
}

double stages(const Side& side, std::initializer_list<const char*> names) {
  double total = 0;
  for (const char* name : names) total += stage_s(side, name);
  return total;
}

}  // namespace

std::optional<double> SideFigures::decode_rate() const {
  return decode && decode->median > 0 ? std::optional(decode_steps / decode->median) : std::nullopt;
}
std::optional<double> SideFigures::whole_rate() const {
  return total && total->median > 0 ? std::optional(tokens_out / total->median) : std::nullopt;
}

std::optional<double> SideFigures::character_rate() const {
  return total && total->median > 0 && characters_out ? std::optional(*characters_out / total->median)
                                                      : std::nullopt;
}

std::optional<double> kv_bytes_per_1000_characters(const Side& side, const SideFigures& figures,
                                                   const std::vector<Prompt>& prompts) {
  if (!side.kv_bytes_per_token || !figures.characters_out) return std::nullopt;
  double characters = *figures.characters_out;
  for (const Prompt& prompt : prompts) {
    if (!prompt.characters || *prompt.characters == 0) return std::nullopt;
    characters += *prompt.characters;
  }
  return 1000 * *side.kv_bytes_per_token * (figures.tokens_in + figures.tokens_out) / characters;
}

SideFigures figures_of(const Side& side, std::size_t prompts) {
  SideFigures figures;
  std::map<int, Repetition> repetitions;
  std::vector<double> tokens;
  for (const Generation& generation : side.generations) {
    Repetition& repetition = repetitions[generation.repetition];
    repetition.prompts.insert(generation.prompt);
    repetition.prefill += generation.prefill_s;
    repetition.decode += generation.decode_s;
    repetition.tokens_in += generation.tokens_in;
    repetition.tokens_out += generation.tokens_out;
    repetition.steps += static_cast<double>(generation.token_s.size());
    repetition.counted = repetition.counted && generation.characters_out.has_value();
    repetition.characters += generation.characters_out.value_or(0);
    tokens.insert(tokens.end(), generation.token_s.begin(), generation.token_s.end());
  }
  std::vector<double> prefill, decode, total, in, out, steps, characters;
  for (const auto& [index, repetition] : repetitions) {
    if (repetition.prompts.size() != prompts) continue;
    prefill.push_back(repetition.prefill);
    decode.push_back(repetition.decode);
    total.push_back(repetition.prefill + repetition.decode);
    in.push_back(repetition.tokens_in);
    out.push_back(repetition.tokens_out);
    steps.push_back(repetition.steps);
    if (repetition.counted) characters.push_back(repetition.characters);
  }
  figures.prefill = summary_or_none(prefill);
  figures.decode = summary_or_none(decode);
  figures.total = summary_or_none(total);
  figures.load = summary_or_none(side.load_s);
  figures.token = summary_or_none(tokens);
  if (!tokens.empty()) {
    std::sort(tokens.begin(), tokens.end());
    figures.token_p99 =
        tokens[static_cast<std::size_t>(std::ceil(0.99 * static_cast<double>(tokens.size()))) - 1];
  }
  if (!total.empty()) {
    figures.tokens_in = summarize(in).median;
    figures.tokens_out = summarize(out).median;
    figures.decode_steps = summarize(steps).median;
    if (characters.size() == total.size() && summarize(characters).min > 0)
      figures.characters_out = summarize(characters).median;
  }
  return figures;
}

Side common(const Side& side, const Side& other) {
  std::set<int> there;
  for (const Generation& generation : other.generations) there.insert(generation.repetition);
  Side both = side;
  std::erase_if(both.generations, [&](const Generation& one) { return !there.contains(one.repetition); });
  return both;
}

namespace {

/// Characters, or tokens where there is no text, and seconds of a repetition.
struct Written {
  std::size_t prompts = 0;
  double characters = 0, tokens = 0, seconds = 0;
};
std::map<int, Written> written_by(const Side& side, std::size_t prompts) {
  std::map<int, Written> repetitions;
  for (const Generation& generation : side.generations) {
    Written& written = repetitions[generation.repetition];
    ++written.prompts;
    written.characters += generation.characters_out.value_or(0);
    written.tokens += generation.tokens_out;
    written.seconds += generation.prefill_s + generation.decode_s;
  }
  std::erase_if(repetitions, [prompts](const auto& entry) { return entry.second.prompts != prompts; });
  return repetitions;
}

constexpr double kSpeedMargin = 0.02;

std::optional<Change> speed_of(const CompareRun& run, const Side& side) {
  const auto base = written_by(run.baseline(), run.prompts.size()),
             ours = written_by(side, run.prompts.size());
  LogRatios pairs;
  for (const auto& [repetition, mine] : ours) {
    const auto theirs = base.find(repetition);
    if (theirs == base.end() || mine.seconds <= 0 || theirs->second.seconds <= 0) continue;
    const bool text = mine.characters > 0 && theirs->second.characters > 0;
    const double amount =
        text ? mine.characters / theirs->second.characters : mine.tokens / theirs->second.tokens;
    if (amount > 0) pairs.push_back(std::log(amount * theirs->second.seconds / mine.seconds));
  }
  if (pairs.empty()) return std::nullopt;
  const bool few = static_cast<int>(pairs.size()) < kFewestPairs;
  const Ratio ratio = median_ratio(std::move(pairs));
  return Change{ratio, few ? Verdict::kAmbiguous : judge_within(ratio, kSpeedMargin)};
}

}  // namespace

CompareFigures figures_of(const CompareRun& run, const Side& side) {
  CompareFigures figures;
  figures.baseline = figures_of(common(run.baseline(), side), run.prompts.size());
  figures.optimized = figures_of(side, run.prompts.size());
  figures.load = change_or_none(figures.baseline.load, figures.optimized.load);
  figures.prefill = change_or_none(figures.baseline.prefill, figures.optimized.prefill);
  figures.decode = change_or_none(figures.baseline.decode, figures.optimized.decode);
  figures.total = change_or_none(figures.baseline.total, figures.optimized.total);
  figures.token = change_or_none(figures.baseline.token, figures.optimized.token);
  figures.speed = speed_of(run, side);
  return figures;
}

const Side* alone(const CompareRun& run, const std::string& part) {
  const auto found = std::find_if(run.sides.begin(), run.sides.end(), [&](const Side& side) {
    return side.parts.size() == 1 && side.parts.front() == part;
  });
  return found == run.sides.end() ? nullptr : &*found;
}

std::optional<double> product_of_parts(const CompareRun& run, const Side& side) {
  if (side.parts.size() < 2) return std::nullopt;
  double product = 1;
  for (const std::string& part : side.parts) {
    const Side* single = alone(run, part);
    const auto speed = single == nullptr ? std::nullopt : figures_of(run, *single).speed;
    if (!speed) return std::nullopt;
    product *= speed->ratio.centre;
  }
  return product;
}

std::optional<double> tokens_change(const CompareRun& run, const Side& side) {
  if (!side.has(kAdaptivocab)) return 0;
  const CompareFigures figures = figures_of(run, side);
  const auto tokens = [&](const SideFigures& own) {
    return own.tokens_in + (run.settings.forced_text.empty() ? 0 : own.tokens_out);
  };
  if (tokens(figures.baseline) <= 0 || !figures.optimized.total) return std::nullopt;
  return tokens(figures.optimized) / tokens(figures.baseline) - 1;
}

bool is_synthetic(const Model& model) { return model.name.starts_with("synthetic:"); }

std::optional<double> steps_per_1000_characters(const SideFigures& figures) {
  if (!figures.characters_out) return std::nullopt;
  return 1000 * figures.decode_steps / *figures.characters_out;
}

std::vector<std::string> stages_of(const CompareRun& run) {
  std::set<std::string> present;
  for (const Side& side : run.sides) {
    for (const Generation& generation : side.generations) {
      for (const auto& [stage, time] : generation.stages_s) {
        if (time > 0) present.insert(stage);
      }
    }
  }
  std::vector<std::string> ordered;
  for (const char* stage : kStages) {
    if (present.erase(stage) > 0) ordered.emplace_back(stage);
  }
  ordered.insert(ordered.end(), present.begin(), present.end());
  return ordered;
}

double stage_s(const Side& side, const std::string& stage) {
  double total = 0;
  std::size_t steps = 0;
  for (const Generation& generation : side.generations) {
    const auto found = generation.stages_s.find(stage);
    total += found == generation.stages_s.end() ? 0 : found->second;
    steps += generation.token_s.size();
  }
  return steps == 0 ? 0 : total / static_cast<double>(steps);
}

double overhead_s(const Side& side) { return stages(side, {"rotate", "select", "scatter"}); }
double products_s(const Side& side) { return stages(side, {"in_product", "out_product"}); }

double all_stages_s(const Side& side) {
  std::set<std::string> stages;
  for (const Generation& generation : side.generations) {
    for (const auto& [stage, time] : generation.stages_s) stages.insert(stage);
  }
  double total = 0;
  for (const std::string& stage : stages) total += stage_s(side, stage);
  return total;
}

}  // namespace trisect::report
