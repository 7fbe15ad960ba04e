// What each optimisation brought to a comparison and what they brought together: beside what is claimed for
// them, and stage by stage.
#include <fmt/format.h>

#include "reports/generator/compare_figures.hpp"
#include "reports/generator/markdown.hpp"
#include "reports/generator/sections.hpp"
#include "reports/generator/units.hpp"

namespace trisect::report {
namespace {

/// Seconds of decoding for 1000 characters where all sides decoded the same, or of a step where each wrote
/// its own.
struct Unit {
  bool characters = false;
  double of(const SideFigures& figures) const { return characters ? *steps_per_1000_characters(figures) : 1; }
};

Unit unit_of(const CompareRun& run) {
  return {!run.settings.forced_text.empty() &&
          std::all_of(run.sides.begin(), run.sides.end(), [&](const Side& side) {
            return steps_per_1000_characters(figures_of(side, run.prompts.size())).has_value();
          })};
}

/// The baseline, each part alone, and the last side.
std::vector<const Side*> columns_of(const CompareRun& run) {
  std::vector<const Side*> sides;
  for (const Side& side : run.sides) {
    if (side.parts.size() <= 1 || &side == &run.sides.back()) sides.push_back(&side);
  }
  return sides;
}

std::string difference(double value, double base, std::string (*format)(double)) {
  const double change = value - base;
  return change == 0 ? "0" : (change > 0 ? "+" : "−") + format(std::abs(change));
}

std::optional<double> memory_change(const CompareRun& run, const Side& side, double Memory::*value) {
  const auto &base = run.baseline().memory, &ours = side.memory;
  if (!base || !ours || *base.*value <= 0) return std::nullopt;
  return *ours.*value / (*base.*value) - 1;
}

std::string change_cell(const std::optional<double>& change) {
  return change ? signed_percent(*change) : kNone;
}

std::string matrix(const CompareRun& run) {
  Table table({{"against the baseline", kLeft},
               {"speed (characters/s)"},
               {"tokens for the same text"},
               {"peak memory"},
               {"KV cache"},
               {"bits per character"}});
  for (const Side& side : run.sides) {
    if (side.parts.empty()) continue;
    const auto speed = figures_of(run, side).speed;
    const auto &base = run.baseline().quality, &ours = side.quality;
    std::optional<double> bits;
    if (base && ours && base->bits_per_character && ours->bits_per_character)
      bits = *ours->bits_per_character / *base->bits_per_character - 1;
    table.add({escape(side.name), speed ? signed_percent(speed->ratio.centre - 1) : kNone,
               change_cell(tokens_change(run, side)), change_cell(memory_change(run, side, &Memory::peak)),
               change_cell(memory_change(run, side, &Memory::kv)), change_cell(bits)});
  }
  return table.markdown() + "\n";
}

std::string claims(const CompareRun& run) {
  Table table({{"", kLeft}, {"claimed", kLeft}, {"measured here"}, {"of what", kLeft}});
  if (const Side* side = alone(run, kLarosa)) {
    const auto token = figures_of(run, *side).token;
    table.add({"LaRoSA", "1.3–1.9× faster decoding", token ? times(token->ratio) : kNone,
               fmt::format("time of a decode step at {} sparsity, mode {}",
                           sparsity(run.settings.sparsity_permille), escape(run.settings.larosa_mode))});
  }
  if (const Side* side = alone(run, kVattention)) {
    table.add({"vAttention", "15–20 % less KV memory", change_cell(memory_change(run, *side, &Memory::kv)),
               fmt::format("committed, one sequence at a time in room for {}, against static",
                           count(run.settings.context, "token"))});
  }
  if (const Side* side = alone(run, kAdaptivocab)) {
    table.add({"AdaptiVocab", "25 % fewer tokens or more", change_cell(tokens_change(run, *side)),
               run.settings.forced_text.empty() ? "tokens of the prompts" : "tokens of the text"});
  }
  const Side& all = run.sides.back();
  if (all.parts.size() == 3) {
    const auto speed = figures_of(run, all).speed;
    table.add({"together", "50–70 % less time", speed ? signed_percent(1 / speed->ratio.centre - 1) : kNone,
               "time for the same characters, prompts included"});
  }
  if (table.empty()) return "";
  return "Claimed for the methods, by their authors or by those who built on them, and measured:\n\n" +
         table.markdown() + "\n";
}

}  // namespace

std::string combination_section(const CompareRun& run) { return matrix(run) + claims(run); }

std::string attribution_section(const CompareRun& run) {
  const Unit unit = unit_of(run);
  const std::vector<const Side*> sides = columns_of(run);
  std::vector<Table::Column> columns = {
      {unit.characters ? "decoding 1000 characters" : "a decode step", kLeft}};
  for (const Side* side : sides) columns.push_back({side->parts.empty() ? "baseline" : escape(side->name)});
  Table table(std::move(columns));
  const auto line = [&](const std::string& name, auto value, std::string (*format)(double)) {
    std::vector<std::string> cells = {name};
    for (const Side* side : sides) {
      cells.push_back(side->parts.empty()
                          ? format(value(*side))
                          : difference(value(*side), value(common(run.baseline(), *side)), format));
    }
    table.add(std::move(cells));
  };
  const auto scale = [&](const Side& side) { return unit.of(figures_of(side, run.prompts.size())); };
  for (const std::string& stage : stages_of(run))
    line(
        escape(stage), [&](const Side& side) { return stage_s(side, stage) * scale(side); }, seconds);
  if (table.empty()) return "";
  line(
      "all stages", [&](const Side& side) { return all_stages_s(side) * scale(side); }, seconds);
  line(
      "weights read", [&](const Side& side) { return side.weight_bytes_per_token * scale(side); }, bytes);
  if (unit.characters) line("decode steps", scale, number);
  return "Where the time went: the baseline's stages, and what each optimisation added to them (+) or took "
         "away "
         "(−).\n\n" +
         table.markdown() + "\n";
}

}  // namespace trisect::report
