#include <fmt/format.h>

#include "reports/generator/compare_figures.hpp"
#include "reports/generator/markdown.hpp"
#include "reports/generator/questions.hpp"
#include "reports/generator/units.hpp"

namespace trisect::report {
namespace {

std::string change_text(const std::optional<double>& base, const std::optional<double>& ours) {
  return base && ours && *base > 0 ? signed_percent(*ours / *base - 1) : kNone;
}

std::optional<double> peak_of(const Side& side) {
  return side.memory ? std::optional(side.memory->peak) : std::nullopt;
}
std::optional<double> kv_of(const Side& side) {
  return side.memory ? std::optional(side.memory->kv) : std::nullopt;
}
std::optional<double> bits_of(const Side& side) {
  return side.quality ? side.quality->bits_per_character : std::nullopt;
}

std::string together(const CompareRun& run) {
  const Side& base = run.baseline();
  Table table({{escape(run.model.name), kLeft},
               {"speed"},
               {"judged", kLeft},
               {"product of its parts"},
               {"tokens, same text"},
               {"KV cache"},
               {"peak memory"},
               {"bits per character"}});
  for (const Side& side : run.sides) {
    if (side.parts.empty()) continue;
    const auto speed = figures_of(run, side).speed;
    const auto product = product_of_parts(run, side), tokens = tokens_change(run, side);
    table.add({escape(side.name), speed ? times(speed->ratio) : kNone,
               speed ? std::string(name_of(speed->verdict)) : kNone, product ? times(*product) : kNone,
               tokens ? signed_percent(*tokens) : kNone, change_text(kv_of(base), kv_of(side)),
               change_text(peak_of(base), peak_of(side)), change_text(bits_of(base), bits_of(side))});
  }
  return table.empty() ? "" : table.markdown() + "\n";
}

}  // namespace

std::string answer_together(const Results& results) {
  std::string text;
  for (const CompareRun& run : results.comparisons) text += together(run);
  if (text.empty()) return "";
  return text +
         "Each side beside the baseline, in turns. Speed is in characters a second, prompts included, or in "
         "tokens where "
         "no text was written, over the baseline's, paired by repetition; more bits are worse. A model named "
         "synthetic "
         "has random weights and phi-2's shape: its speed and memory are phi-2's, its quality is not "
         "there.\n\n";
}

}  // namespace trisect::report
