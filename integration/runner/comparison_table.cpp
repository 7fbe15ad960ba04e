#include <algorithm>
#include <functional>

#include "integration/runner/comparison.hpp"
#include "integration/runner/terminal.hpp"

namespace trisect::runner {
namespace {

/// Of a whole repetition, all prompts together: medians.
struct Typical {
  double load_s = 0, prefill_s = 0, decode_s = 0, total_s = 0, tokens_in = 0, tokens_out = 0, steps = 0;
};

bool complete(const Side& side, int repetition, std::size_t prompts) {
  return prompts == static_cast<std::size_t>(std::count_if(side.generations.begin(), side.generations.end(),
                                                           [repetition](const GenerationRecord& record) {
                                                             return record.repetition == repetition;
                                                           }));
}

Typical typical_of(const Side& side, std::size_t prompts) {
  std::vector<double> prefill, decode, total, in, out, steps;
  for (int repetition = 0; complete(side, repetition, prompts); ++repetition) {
    for (auto* samples : {&prefill, &decode, &total, &in, &out, &steps}) samples->push_back(0);
    for (const GenerationRecord& record : side.generations) {
      if (record.repetition != repetition) continue;
      prefill.back() += record.prefill_s;
      decode.back() += sum(record.token_s);
      in.back() += static_cast<double>(record.tokens_in);
      out.back() += static_cast<double>(record.ids.size());
      steps.back() += static_cast<double>(record.token_s.size());
    }
    total.back() = prefill.back() + decode.back();
  }
  if (total.empty()) return {};
  return {side.load_s.front(), median(prefill), median(decode), median(total),
          median(in),          median(out),     median(steps)};
}

class Table {
 public:
  using Format = std::function<std::string(double)>;

  void title(const char* text) { text_ += fmt::format("{}\n", text); }
  void smaller_is_better(const char* what, double base, double optimized, const Format& format) {
    add(what, format(base), format(optimized), base > 0 ? improvement(1 - optimized / base) : "");
  }
  void larger_is_better(const char* what, double base, double optimized, const Format& format) {
    add(what, format(base), format(optimized), base > 0 ? improvement(optimized / base - 1) : "");
  }
  void plain(const char* what, double base, double optimized, const Format& format) {
    add(what, format(base), format(optimized), "");
  }
  void add(std::string_view what, std::string_view base, std::string_view optimized,
           std::string_view change) {
    text_ += fmt::format("  {:<22}{:>14}{:>14}{:>14}\n", what, base, optimized, change);
  }
  const std::string& text() const { return text_; }

 private:
  static std::string improvement(double share) { return fmt::format("{:+.1f} %", 100 * share); }
  std::string text_;
};

std::string whole(double value) { return fmt::format("{:.0f}", value); }
std::string one_decimal(double value) { return fmt::format("{:.1f}", value); }
std::string three_decimals(double value) { return fmt::format("{:.3f}", value); }

void add_memory(Table& table, const Json& base, const Json& optimized) {
  if (base.is_null() || optimized.is_null()) return;
  const auto row = [&](const char* what, const char* key, bool judged) {
    const double from = base.at(key), to = optimized.at(key);
    judged ? table.smaller_is_better(what, from, to, bytes_text) : table.plain(what, from, to, bytes_text);
  };
  table.title("Memory");
  row("peak", "peak_rss_bytes", true);
  row("- weights", "weights_bytes", false);
  row("- rotations", "rotations_bytes", false);
  row("- KV cache", "kv_bytes", false);
  row("- scratch", "scratch_bytes", false);
}

void add_quality(Table& table, const Side& base, const Side& optimized, bool same_vocabulary) {
  if (!base.quality || !optimized.quality) return;
  table.title("Quality");
  if (same_vocabulary) {
    table.smaller_is_better("perplexity", base.quality->perplexity, optimized.quality->perplexity,
                            three_decimals);
  }
  table.smaller_is_better("bits per character", base.quality->bits_per_character,
                          optimized.quality->bits_per_character, three_decimals);
}

}  // namespace

std::string comparison_table(const Comparison& comparison) {
  const Typical base = typical_of(comparison.baseline, comparison.prompts.size());
  const Typical optimized = typical_of(comparison.optimized, comparison.prompts.size());
  if (base.total_s == 0 || optimized.total_s == 0) return "";
  Table table;
  table.add("", "Baseline", "Optimized", "Improvement");
  table.title("Time, all prompts");
  table.smaller_is_better("load, once", base.load_s, optimized.load_s, seconds_text);
  table.smaller_is_better("prefill", base.prefill_s, optimized.prefill_s, seconds_text);
  table.smaller_is_better("decode", base.decode_s, optimized.decode_s, seconds_text);
  table.smaller_is_better("prefill and decode", base.total_s, optimized.total_s, seconds_text);
  table.title("Tokens");
  table.smaller_is_better("in", base.tokens_in, optimized.tokens_in, whole);
  table.smaller_is_better("out", base.tokens_out, optimized.tokens_out, whole);
  table.larger_is_better("decoded a second", base.steps / std::max(base.decode_s, 1e-9),
                         optimized.steps / std::max(optimized.decode_s, 1e-9), one_decimal);
  table.larger_is_better("out a second, whole", base.tokens_out / base.total_s,
                         optimized.tokens_out / optimized.total_s, one_decimal);
  add_memory(table, comparison.baseline.memory, comparison.optimized.memory);
  add_quality(table, comparison.baseline, comparison.optimized, comparison.same_vocabulary);
  const std::string text = table.text() + fmt::format("Optimized: {}.\n", comparison.optimized.description);
  if (!comparison.same_vocabulary) return text;
  const Agreement agreement = agreement_of(comparison.baseline, comparison.optimized);
  return text + fmt::format(
                    "Agreement: {} of {} texts are identical, {:.1f} % of the ids are equal, the first "
                    "{:.1f} tokens are on average.\n",
                    agreement.identical, agreement.prompts, 100 * agreement.equal_id_fraction,
                    agreement.mean_common_prefix);
}

}  // namespace trisect::runner
