#include <cmath>
#include <map>

#include "integration/runner/comparison.hpp"
#include "integration/runner/quality.hpp"
#include "integration/runner/terminal.hpp"

namespace trisect::runner {
namespace {

/// All prompts of one repetition together.
struct Total {
  int repetition = 0;
  std::size_t prompts = 0;
  double prefill_s = 0, decode_s = 0, tokens_in = 0, tokens_out = 0, steps = 0, characters = 0;

  double seconds() const { return prefill_s + decode_s; }
};

/// Of the repetitions that are complete.
std::vector<Total> totals_of(const Side& side, std::size_t prompts) {
  std::vector<Total> totals;
  for (const GenerationRecord& record : side.generations) {
    if (totals.empty() || totals.back().repetition != record.repetition)
      totals.push_back({record.repetition});
    Total& total = totals.back();
    ++total.prompts;
    total.prefill_s += record.prefill_s;
    total.decode_s += sum(record.token_s);
    total.tokens_in += static_cast<double>(record.tokens_in);
    total.tokens_out += static_cast<double>(record.ids.size());
    total.steps += static_cast<double>(record.token_s.size());
    total.characters += static_cast<double>(characters_of(record.text));
  }
  std::erase_if(totals, [prompts](const Total& total) { return total.prompts != prompts; });
  return totals;
}

template <class Value>
double median_of(const std::vector<Total>& totals, Value value) {
  std::vector<double> values;
  for (const Total& total : totals) values.push_back(value(total));
  return median(values);
}

/// How many times faster text is written, prompts included: the median over the repetitions that both have.
/// Of random ids there is no text, and tokens count.
double speed_up(const std::vector<Total>& base, const std::vector<Total>& side) {
  std::vector<double> ratios;
  for (const Total& ours : side) {
    const auto theirs = std::find_if(base.begin(), base.end(),
                                     [&](const Total& total) { return total.repetition == ours.repetition; });
    if (theirs == base.end()) continue;
    const bool text = ours.characters > 0 && theirs->characters > 0;
    const double amount = text ? ours.characters / theirs->characters : ours.tokens_out / theirs->tokens_out;
    ratios.push_back(amount * theirs->seconds() / ours.seconds());
  }
  return ratios.empty() ? NAN : median(ratios);
}

constexpr std::size_t kNameWidth = 34;

std::string times_text(double ratio) { return std::isfinite(ratio) ? fmt::format("{:.2f}x", ratio) : "-"; }

std::string memory_text(const Side& side, const char* key) {
  return side.memory.is_null() ? "-" : bytes_text(side.memory.at(key));
}

std::string quality_text(const std::optional<QualityRecord>& quality, double QualityRecord::*value) {
  return quality ? fmt::format("{:.3f}", *quality.*value) : "-";
}

std::string line_of(const Side& side, const std::vector<Total>& totals, double speed, double product) {
  const double decode = median_of(totals, [](const Total& t) { return t.decode_s; });
  const double per_token =
      median_of(totals, [](const Total& t) { return t.steps > 0 ? t.decode_s / t.steps : 0; });
  const double rate = median_of(totals, [](const Total& t) { return t.characters / t.seconds(); });
  return fmt::format(
      "{:<{}}{:>10}{:>10}{:>10}{:>10.1f}{:>9}{:>9}{:>7.0f}{:>7.0f}{:>10}{:>10}{:>10}\n", side.name,
      kNameWidth, seconds_text(median_of(totals, [](const Total& t) { return t.prefill_s; })),
      seconds_text(decode), seconds_text(per_token), rate, times_text(speed), times_text(product),
      median_of(totals, [](const Total& t) { return t.tokens_in; }),
      median_of(totals, [](const Total& t) { return t.tokens_out; }), memory_text(side, "peak_rss_bytes"),
      memory_text(side, "kv_bytes"), quality_text(side.quality, &QualityRecord::bits_per_character));
}

}  // namespace

std::string comparison_table(const Comparison& comparison) {
  const std::size_t prompts = comparison.prompts.size();
  const std::vector<Total> base = totals_of(comparison.sides.front(), prompts);
  if (base.empty()) return "";
  std::map<std::string, double> alone;  // speed-up by part
  std::string text = fmt::format("{:<{}}{:>10}{:>10}{:>10}{:>10}{:>9}{:>9}{:>7}{:>7}{:>10}{:>10}{:>10}\n", "",
                                 kNameWidth, "prefill", "decode", "a token", "chars/s", "speed-up",
                                 "of parts", "in", "out", "peak", "KV cache", "bits/char");
  for (const Side& side : comparison.sides) {
    const std::vector<Total> totals = totals_of(side, prompts);
    if (totals.empty()) continue;
    const double speed = speed_up(base, totals);
    double product = NAN;
    if (side.parts.size() == 1) alone[side.parts.front()] = speed;
    if (side.parts.size() > 1) {
      product = 1;
      for (const std::string& part : side.parts) product *= alone.contains(part) ? alone.at(part) : NAN;
    }
    text += line_of(side, totals, speed, product);
  }
  for (const Side& side : comparison.sides) {
    const Side* reference = reference_of(comparison, side);
    if (reference == nullptr) continue;
    const Agreement agreement = agreement_of(*reference, side);
    if (agreement.prompts == 0) continue;
    text += fmt::format("{} beside {}: {} of {} texts are identical, {:.1f} % of the ids are equal.\n",
                        side.name, reference->name, agreement.identical, agreement.prompts,
                        100 * agreement.equal_id_fraction);
  }
  return text;
}

}  // namespace trisect::runner
