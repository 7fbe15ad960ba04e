// Rules of vocabularies, KV caches and combinations.
#include <fmt/format.h>

#include <cmath>

#include "reports/generator/markdown.hpp"
#include "reports/generator/units.hpp"
#include "reports/generator/why.hpp"

namespace trisect::report::why {
namespace {

constexpr double kSame = 0.01;           // a change smaller than this is none
constexpr double kWorthwhile = 0.05;     // fewer tokens than this, and a vocabulary does not fit
constexpr double kProductMargin = 0.05;  // of a product of parts

/// Share of the tokens of equal text that the vocabulary saves.
std::optional<double> tokens_saved(const WhyFacts& facts) {
  const auto change = tokens_change(facts.run, facts.optimized);
  return facts.vocabulary() && change ? std::optional(-*change) : std::nullopt;
}

std::optional<double> bits(const Side& side) {
  return side.quality ? side.quality->bits_per_character : std::nullopt;
}

/// The side's policy, or nothing where its cache is the baseline's.
const std::string* kv_of(const WhyFacts& facts) {
  for (const std::string& part : facts.optimized.parts) {
    if (part != kLarosa && part != kAdaptivocab) return &part;
  }
  return nullptr;
}

}  // namespace

Finding fewer_steps(const WhyFacts& facts) {
  const auto base = steps_per_1000_characters(facts.figures.baseline);
  const auto ours = steps_per_1000_characters(facts.figures.optimized);
  if (!facts.vocabulary() || !base || !ours || !facts.figures.token) return std::nullopt;
  return fmt::format(
      "1000 characters took {:.0f} decode steps instead of {:.0f} ({}), and a step ran at {} of the "
      "baseline's speed: "
      "a vocabulary saves steps, each of which reads {} instead of {}.",
      *ours, *base, signed_percent(*ours / *base - 1), times(facts.figures.token->ratio),
      bytes(facts.optimized.weight_bytes_per_token), bytes(facts.baseline().weight_bytes_per_token));
}

Finding kv_costs_no_time(const WhyFacts& facts) {
  const std::string* kv = kv_of(facts);
  if (kv == nullptr || facts.optimized.parts.size() != 1 || !facts.figures.token) return std::nullopt;
  return fmt::format(
      "A step with {} ran at {} of the baseline's speed ({}): another KV cache reads the same keys and "
      "values, so the most that it can do for speed is not to cost any.",
      escape(*kv), times(facts.figures.token->ratio), name_of(facts.figures.token->verdict));
}

Finding parts_together(const WhyFacts& facts) {
  const auto product = product_of_parts(facts.run, facts.optimized);
  const auto& speed = facts.figures.speed;
  if (!product || !speed) return std::nullopt;
  const double ratio = speed->ratio.centre / *product;
  const std::string sums = fmt::format("Together the parts gave {}, their product is {}: {} of it",
                                       times(speed->ratio), times(*product), percent(ratio));
  if (std::abs(ratio - 1) <= kProductMargin)
    return sums + ". They work on different things (bytes of a step, steps, memory), so they multiply.";
  if (ratio < 1)
    return sums +
           ". What one takes away another cannot take again: fewer steps leave less time to make shorter, "
           "and what "
           "a step costs beside its products (head, attention, rotations) weighs more.";
  return sums +
         ". More than the product is no effect that is known: look at the intervals, and for a machine that "
         "changed between the groups of sides.";
}

Finding kv_committed(const WhyFacts& facts) {
  const std::string* kv = kv_of(facts);
  if (kv == nullptr || !facts.optimized.memory || !facts.baseline().memory ||
      facts.baseline().memory->kv <= 0)
    return std::nullopt;
  const Memory &base = *facts.baseline().memory, &ours = *facts.optimized.memory;
  const double change = ours.kv / base.kv - 1;
  const std::string sums = fmt::format(
      "The KV cache committed {} of {} reserved, {} of it in use; the baseline's {} ({})", bytes(ours.kv),
      bytes(ours.kv_reserved), bytes(ours.kv_used), bytes(base.kv), signed_percent(change));
  if (change > kSame)
    return sums +
           fmt::format(
               ". That is more: memory is committed in whole granules for every layer, ahead of the "
               "tokens, and kept for the next request; with {:.0f} tokens of context a static cache is "
               "small.",
               static_cast<double>(facts.run.settings.context));
  if (change < -kSame)
    return sums + fmt::format(
                      ": a static cache is made for all {} tokens of context, whatever a request needs. "
                      "Against a cache made for exactly these requests nothing would be saved.",
                      facts.run.settings.context);
  return sums + ": no difference.";
}

Finding larger_tables(const WhyFacts& facts) {
  if (!facts.vocabulary() || !facts.run.settings.patch || !facts.optimized.memory || !facts.baseline().memory)
    return std::nullopt;
  const double more = facts.optimized.memory->weights - facts.baseline().memory->weights;
  if (more <= 0) return std::nullopt;
  return fmt::format(
      "{} new tokens took {} of weights: a row of the embedding and a column of the head each. The "
      "head's part of it is read in every step.",
      facts.run.settings.patch->added, bytes(more));
}

Finding vocabulary_fits(const WhyFacts& facts) {
  const auto saved = tokens_saved(facts);
  if (!saved || *saved < kWorthwhile) return std::nullopt;
  return fmt::format("The adapted vocabulary has {} fewer tokens for the same text ({}).", percent(*saved),
                     facts.run.settings.forced_text.empty() ? "the prompts" : escape(facts.run.settings.forced_text));
}

Finding vocabulary_misfits(const WhyFacts& facts) {
  const auto saved = tokens_saved(facts);
  if (!saved || *saved >= kWorthwhile) return std::nullopt;
  return fmt::format(
      "The adapted vocabulary changed the number of tokens of the same text by {} only: few of its {} "
      "n-grams occur in these "
      "texts. Is "
      "it of another domain? `phi2 adapt --held-out TEXT` says what one would save.",
      signed_percent(-*saved), facts.run.settings.patch ? facts.run.settings.patch->added : 0);
}

Finding no_vocabulary(const WhyFacts& facts) {
  if (facts.run.settings.patch) return std::nullopt;
  return "No adapted vocabulary was given (`--patch-tokenizer`), so the number of tokens could not fall: "
         "LaRoSA and KV "
         "caches do nothing for it.";
}

Finding bits_of_vocabulary(const WhyFacts& facts) {
  const auto base = bits(facts.baseline()), ours = bits(facts.optimized);
  if (!facts.vocabulary() || !base || !ours || *base <= 0) return std::nullopt;
  std::string text =
      fmt::format("{} bits per character of {} instead of {} ({})", number(*ours),
                  escape(facts.optimized.quality->text), number(*base), signed_percent(*ours / *base - 1));
  if (!facts.run.settings.patch || facts.run.settings.patch->tuned)
    return text + ". The adapted model had more training on text of the domain than the baseline.";
  return text +
         ": new tokens have rows that were put together of old ones, not trained. What helps: fine-tuning "
         "(scripts/train/finetune_adaptivocab.py).";
}

}  // namespace trisect::report::why
