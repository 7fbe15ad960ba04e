#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "reports/generator/markdown.hpp"
#include "reports/generator/units.hpp"
#include "reports/generator/why.hpp"

namespace trisect::report::why {
namespace {

constexpr double kSameMemory = 0.01;
constexpr double kSameQuality = 0.01;

std::optional<double> memory_change(const WhyFacts& facts) {
  if (!facts.baseline().memory || !facts.optimized.memory || facts.baseline().memory->peak <= 0)
    return std::nullopt;
  return facts.optimized.memory->peak / facts.baseline().memory->peak - 1;
}

/// "rotations +3.1 MB, weights -1.2 MB": what changed by more than a hundredth of the peak, largest first.
std::string changed_parts(const Memory& base, const Memory& optimized) {
  struct Part {
    const char* name;
    double change;
  };
  std::vector<Part> parts = {
      {"weights", optimized.weights - base.weights},
      {"rotations", optimized.rotations - base.rotations},
      {"KV cache", optimized.kv - base.kv},
      {"scratch", optimized.scratch - base.scratch},
      {"everything else (program, libraries, what loading needed)", optimized.rest() - base.rest()}};
  std::stable_sort(parts.begin(), parts.end(),
                   [](const Part& a, const Part& b) { return std::abs(a.change) > std::abs(b.change); });
  std::string text;
  for (const Part& part : parts) {
    if (std::abs(part.change) < kSameMemory * base.peak) continue;
    text += fmt::format("{}{} {}{}", text.empty() ? "" : ", ", part.name, part.change >= 0 ? "+" : "",
                        bytes(part.change));
  }
  return text.empty() ? "no single part changed much" : text;
}

std::string memory_sentence(const WhyFacts& facts, const char* direction) {
  const Memory &base = *facts.baseline().memory, &optimized = *facts.optimized.memory;
  return fmt::format("Peak memory {} from {} to {} ({}): {}.", direction, bytes(base.peak),
                     bytes(optimized.peak), signed_percent(optimized.peak / base.peak - 1),
                     changed_parts(base, optimized));
}

bool ends_at_limit(const Side& side, int limit) {
  return std::all_of(side.generations.begin(), side.generations.end(),
                     [&](const Generation& g) { return g.tokens_out == limit; });
}

bool greedy(const WhyFacts& facts) { return facts.run.settings.temperature <= 0; }

bool finished(const WhyFacts& facts) { return facts.figures.baseline.total && facts.figures.optimized.total; }

std::optional<double> perplexity_change(const WhyFacts& facts) {
  const auto &base = facts.baseline().quality, &optimized = facts.optimized.quality;
  if (!base || !optimized || !base->perplexity || !optimized->perplexity || *base->perplexity <= 0)
    return std::nullopt;
  return *optimized->perplexity / *base->perplexity - 1;
}

}  // namespace

Finding memory_rose(const WhyFacts& facts) {
  const auto change = memory_change(facts);
  if (!change || *change < kSameMemory) return std::nullopt;
  const double rotations = facts.optimized.memory->rotations - facts.baseline().memory->rotations;
  const double rise = facts.optimized.memory->peak - facts.baseline().memory->peak;
  std::string text = memory_sentence(facts, "rose");
  if (rotations >= 0.5 * rise) {
    text += fmt::format(
        " The rotations are kept beside the weights and are {} of the rise: one square matrix for every "
        "input that is rotated. One global rotation, or "
        "rotations merged into the weights, would take less.",
        percent(std::min(1.0, rotations / rise)));
  }
  if (facts.optimized.memory->rest() - facts.baseline().memory->rest() >= 0.5 * rise) {
    text +=
        " Most of it is no data that is kept: a peak also counts what loading and transforming weights "
        "needed for a "
        "moment.";
  }
  return text +
         (facts.larosa() ? " LaRoSA skips weights, it does not remove them: it never saves memory." : "");
}

Finding memory_fell(const WhyFacts& facts) {
  const auto change = memory_change(facts);
  if (!change || *change > -kSameMemory) return std::nullopt;
  return memory_sentence(facts, "fell") +
         (facts.larosa() ? " LaRoSA removes no weights, so look for the cause in the parts named." : "");
}

Finding memory_held(const WhyFacts& facts) {
  const auto change = memory_change(facts);
  if (!change || std::abs(*change) >= kSameMemory) return std::nullopt;
  return fmt::format("Peak memory is the same to within {:.0f} % ({} and {}){}.", kSameMemory * 100,
                     bytes(facts.baseline().memory->peak), bytes(facts.optimized.memory->peak),
                     facts.larosa() ? ": LaRoSA reads fewer weights per token but keeps all of them" : "");
}

Finding same_tokens(const WhyFacts& facts) {
  if (facts.vocabulary() || !finished(facts) ||
      facts.figures.baseline.tokens_out != facts.figures.optimized.tokens_out)
    return std::nullopt;
  const int limit = facts.run.settings.max_new_tokens;
  if (!facts.run.settings.forced_text.empty())
    return fmt::format("Both sides decoded the same {:.0f} tokens of {}: the text was given.",
                       facts.figures.baseline.tokens_out, escape(facts.run.settings.forced_text));
  const bool limited = ends_at_limit(facts.baseline(), limit) && ends_at_limit(facts.optimized, limit);
  return fmt::format("Both sides wrote {:.0f} tokens{}: neither the tokenizer nor the vocabulary is another.",
                     facts.figures.baseline.tokens_out,
                     limited
                         ? fmt::format(", because every text ran to its limit of {}", count(limit, "token"))
                         : " although some texts ended before their limit");
}

Finding other_tokens(const WhyFacts& facts) {
  if (facts.vocabulary() || !finished(facts) ||
      facts.figures.baseline.tokens_out == facts.figures.optimized.tokens_out)
    return std::nullopt;
  return fmt::format(
      "The optimised side wrote {:.0f} tokens, the baseline {:.0f}: the tokenizer is the same, but the texts "
      "diverged{} and ended at different places. "
      "Compare tokens per second, not the total time, or ask for a fixed length.",
      facts.figures.optimized.tokens_out, facts.figures.baseline.tokens_out,
      greedy(facts) && facts.larosa() ? ", because skipped weights change the logits," : "");
}

Finding sampled(const WhyFacts& facts) {
  if (greedy(facts)) return std::nullopt;
  return fmt::format(
      "Texts were sampled (temperature {}), so they differ from run to run for reasons that have nothing to "
      "do with the optimisation. Use temperature 0 to compare.",
      number(facts.run.settings.temperature));
}

Finding quality_fell(const WhyFacts& facts) {
  const auto change = perplexity_change(facts);
  if (!facts.larosa() || !change || *change < kSameQuality) return std::nullopt;
  const Settings& settings = facts.run.settings;
  return fmt::format(
      "Perplexity rose by {} ({} to {}): {} of the activations are dropped. What helps: a lower sparsity, "
      "rotations calibrated "
      "on text of the same kind (these: {}), another split between layer inputs and outputs (now {:g} and "
      "{:g}).",
      percent(*change), number(*facts.baseline().quality->perplexity),
      number(*facts.optimized.quality->perplexity), sparsity(settings.sparsity_permille),
      escape(facts.optimized.rotation), settings.coefficient_in, settings.coefficient_out);
}

Finding quality_held(const WhyFacts& facts) {
  const auto change = perplexity_change(facts);
  if (!facts.larosa() || !change || *change >= kSameQuality) return std::nullopt;
  return fmt::format("Perplexity changed by {} ({} to {}): at this sparsity there is room for more.",
                     signed_percent(*change), number(*facts.baseline().quality->perplexity),
                     number(*facts.optimized.quality->perplexity));
}

Finding texts_diverge(const WhyFacts& facts) {
  const auto& agreement = facts.optimized.agreement;
  if (!agreement || agreement->identical >= agreement->prompts) return std::nullopt;
  std::string text =
      fmt::format("{} of {} texts differ from those of {}", agreement->prompts - agreement->identical,
                  agreement->prompts, escape(agreement->with));
  if (agreement->mean_common_prefix)
    text += fmt::format("; on average the first {:.1f} tokens agree", *agreement->mean_common_prefix);
  return text +
         ". One other token early on changes all that follows, so judge quality by the perplexity, not by "
         "this.";
}

}  // namespace trisect::report::why
