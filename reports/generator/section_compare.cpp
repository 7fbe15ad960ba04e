#include <fmt/format.h>

#include "reports/generator/markdown.hpp"
#include "reports/generator/sections.hpp"
#include "reports/generator/units.hpp"
#include "reports/generator/why.hpp"

namespace trisect::report {
namespace {

std::string larosa_text(const Settings& settings) {
  if (settings.larosa_mode.empty()) return "";
  return fmt::format(
      " LaRoSA: mode {}, sparsity {} (times {} for q, k, v and fc1, times {} for dense and fc2{}), rotations {}.",
      escape(settings.larosa_mode), sparsity(settings.sparsity_permille), settings.coefficient_in,
      settings.coefficient_out,
      settings.weight_sparsity ? ": " + percent(*settings.weight_sparsity) + " of the layers' weights" : "",
      escape(settings.rotation));
}

std::string setting_lines(const CompareRun& run) {
  const Model& model = run.model;
  const Settings& settings = run.settings;
  std::string text = fmt::format(
      "Model: {} ({:.0f} parameters; {} layers, hidden {}, {} heads, intermediate {}, vocabulary {}; hash "
      "`{}`). Weights {}, device {}, {}.{} {} prompts, at most {} new tokens each, {}, {}, sides interleaved.\n\n",
      escape(model.name), model.parameters, model.layers, model.hidden, model.heads, model.intermediate,
      model.vocab, escape(model.hash), escape(settings.dtype), escape(settings.device),
      count(settings.threads, "thread"), larosa_text(settings), run.prompts.size(), settings.max_new_tokens,
      settings.temperature > 0
          ? fmt::format("temperature {}, top-p {}, seed {}", number(settings.temperature),
                        number(settings.top_p), settings.seed)
          : "greedy",
      count(settings.repetitions, "repetition"));
  for (const auto& [name, side] : {std::pair{"Baseline", &run.baseline}, {"Optimized", &run.optimized}}) {
    std::string variants;
    for (const auto& [op, variant] : side->variants)
      variants += fmt::format("{}{} {}", variants.empty() ? "" : ", ", escape(op), escape(variant));
    text += fmt::format("- {}: {}.{}\n", name, escape(side->description),
                        variants.empty() ? "" : " Ran " + variants + ".");
  }
  return text + "\n";
}

/// Baseline, Optimized, Improvement, Verdict. Improvement is positive where the optimised side is better.
class CompareTable {
 public:
  CompareTable() : table_({{"", kLeft}, {"Baseline"}, {"Optimized"}, {"Improvement"}, {"verdict", kLeft}}) {}

  void time(const char* what, const std::optional<Summary>& base, const std::optional<Summary>& optimized,
            const std::optional<Change>& change) {
    if (!base && !optimized) return;
    const auto cell = [](const std::optional<Summary>& time) {
      return time ? fmt::format("{} ({})", seconds(time->median), percent(noise(*time))) : kNone;
    };
    table_.add({what, cell(base), cell(optimized), change ? improvement(change->ratio) : kNone,
                change ? fmt::format("{}, {}", name_of(change->verdict), times(change->ratio)) : ""});
  }

  using Format = std::string (*)(double);
  void smaller_is_better(const char* what, const std::optional<double>& base,
                         const std::optional<double>& optimized, Format format) {
    add(what, base, optimized, format, -1);
  }
  void larger_is_better(const char* what, const std::optional<double>& base,
                        const std::optional<double>& optimized, Format format) {
    add(what, base, optimized, format, 1);
  }
  void neutral(const char* what, const std::optional<double>& base, const std::optional<double>& optimized,
               Format format) {
    add(what, base, optimized, format, 0);
  }
  std::string markdown() const { return table_.markdown(); }

 private:
  static std::string improvement(const Ratio& ratio) { return signed_percent(1 - 1 / ratio.centre); }

  void add(const char* what, const std::optional<double>& base, const std::optional<double>& optimized,
           Format format, int sign) {
    if (!base && !optimized) return;
    const bool both = sign != 0 && base && optimized && *base > 0;
    table_.add({what, base ? format(*base) : kNone, optimized ? format(*optimized) : kNone,
                both ? signed_percent(sign * (*optimized / *base - 1)) : kNone, ""});
  }

  Table table_;
};

std::string whole(double value) { return fmt::format("{:.0f}", value); }
std::string gbps(double value) { return number(value) + " GB/s"; }

std::optional<double> weights_read(const Side& side, const SideFigures& figures) {
  const auto rate = figures.decode_rate();
  return rate && side.weight_bytes_per_token > 0 ? std::optional(side.weight_bytes_per_token * *rate / 1e9)
                                                 : std::nullopt;
}

void memory_rows(const CompareRun& run, CompareTable& table) {
  const auto part = [&](const char* what, double (*value)(const Memory&), bool judged) {
    const auto get = [&](const Side& side) {
      return side.memory ? std::optional(value(*side.memory)) : std::nullopt;
    };
    if (judged) return table.smaller_is_better(what, get(run.baseline), get(run.optimized), bytes);
    table.neutral(what, get(run.baseline), get(run.optimized), bytes);
  };
  part(
      "memory, peak", [](const Memory& m) { return m.peak; }, true);
  part(
      "– weights", [](const Memory& m) { return m.weights; }, false);
  part(
      "– rotations", [](const Memory& m) { return m.rotations; }, false);
  part(
      "– KV cache", [](const Memory& m) { return m.kv; }, false);
  part(
      "– scratch", [](const Memory& m) { return m.scratch; }, false);
  part(
      "– tokenizer", [](const Memory& m) { return m.tokenizer; }, false);
  part(
      "– everything else", [](const Memory& m) { return m.rest(); }, false);
}

std::string main_table(const CompareRun& run, const CompareFigures& figures) {
  const SideFigures &base = figures.baseline, &optimized = figures.optimized;
  CompareTable table;
  table.time("time, load", base.load, optimized.load, figures.load);
  table.time("time, prefill", base.prefill, optimized.prefill, figures.prefill);
  table.time("time, decode", base.decode, optimized.decode, figures.decode);
  table.time("time, prefill + decode", base.total, optimized.total, figures.total);
  table.larger_is_better("tokens/s, decode", base.decode_rate(), optimized.decode_rate(), number);
  table.larger_is_better("tokens/s, prefill + decode", base.whole_rate(), optimized.whole_rate(), number);
  table.time("time of a token, median", base.token, optimized.token, figures.token);
  table.smaller_is_better("time of a token, 99 %", base.token_p99, optimized.token_p99, seconds);
  const auto tokens = [](const SideFigures& side, double value) {
    return side.total ? std::optional(value) : std::nullopt;
  };
  table.smaller_is_better("tokens in", tokens(base, base.tokens_in), tokens(optimized, optimized.tokens_in),
                          whole);
  table.neutral("tokens out", tokens(base, base.tokens_out), tokens(optimized, optimized.tokens_out), whole);
  table.smaller_is_better("weights read per token", run.baseline.weight_bytes_per_token,
                          run.optimized.weight_bytes_per_token, bytes);
  table.neutral("weights read while decoding", weights_read(run.baseline, base),
                weights_read(run.optimized, optimized), gbps);
  memory_rows(run, table);
  const auto perplexity = [](const Side& side) {
    return side.quality ? side.quality->perplexity : std::nullopt;
  };
  const auto bits = [](const Side& side) {
    return side.quality ? side.quality->bits_per_character : std::nullopt;
  };
  table.smaller_is_better("perplexity", perplexity(run.baseline), perplexity(run.optimized), number);
  table.smaller_is_better("bits per character", bits(run.baseline), bits(run.optimized), number);
  return table.markdown();
}

std::string notes(const CompareRun& run) {
  std::string text =
      "Times are of one repetition over all prompts: median and, in brackets, the quartiles' distance in % "
      "of it. A positive improvement is "
      "better for the optimised side.";
  if (run.probe_gbps)
    text += fmt::format(" Read bandwidth of the machine in this run: {} GB/s.", number(*run.probe_gbps));
  if (run.baseline.quality) {
    text += fmt::format(" Perplexity is over {} of {}.", count(run.baseline.quality->tokens, "token"),
                        escape(run.baseline.quality->text));
  }
  if (run.agreement) {
    text += fmt::format(" Agreement of the generated ids: {} of {} texts identical", run.agreement->identical,
                        run.agreement->prompts);
    if (run.agreement->equal_id_fraction)
      text += fmt::format(", {} of the ids equal", percent(*run.agreement->equal_id_fraction));
    if (run.agreement->mean_common_prefix)
      text +=
          fmt::format(", the first {:.1f} tokens in common on average", *run.agreement->mean_common_prefix);
    text += ".";
  }
  return text + "\n\n";
}

std::string stage_table(const CompareRun& run) {
  Table table({{"stage of a decode step", kLeft}, {"Baseline"}, {"Optimized"}, {"difference"}});
  const auto line = [&](const std::string& name, double base, double optimized) {
    table.add(
        {name, seconds(base), seconds(optimized), (optimized > base ? "+" : "") + seconds(optimized - base)});
  };
  for (const std::string& stage : stages_of(run))
    line(escape(stage), stage_s(run.baseline, stage), stage_s(run.optimized, stage));
  if (table.empty()) return "";
  line("all", all_stages_s(run.baseline), all_stages_s(run.optimized));
  return table.markdown();
}

std::string why_lines(const CompareRun& run, const CompareFigures& figures,
                      const std::vector<Layer>& layers) {
  const WhyFacts facts{run, figures, layers};
  std::string text = "### Why\n\n";
  for (const Question& question : questions()) {
    std::string lines;
    for (const Rule& rule : question.rules) {
      if (const Finding finding = rule.apply(facts)) lines += "- " + *finding + "\n";
    }
    if (!lines.empty()) text += fmt::format("**{}**\n\n{}\n", question.title, lines);
  }
  return text;
}

const Generation* first_text(const Side& side, int prompt) {
  for (const Generation& generation : side.generations) {
    if (generation.prompt == prompt) return &generation;
  }
  return nullptr;
}

std::string texts(const CompareRun& run) {
  std::string rows = "<table>\n<tr><th>Prompt</th><th>Baseline</th><th>Optimized</th></tr>\n";
  for (std::size_t i = 0; i < run.prompts.size(); ++i) {
    const auto cell = [&](const Side& side) {
      const Generation* found = first_text(side, static_cast<int>(i));
      return found == nullptr ? std::string(kNone) : escape_html(found->text);
    };
    rows += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td></tr>\n", escape_html(run.prompts[i].text),
                        cell(run.baseline), cell(run.optimized));
  }
  return details("The generated texts side by side", rows + "</table>\n");
}

}  // namespace

std::string compare_section(const CompareRun& run, int number, const std::vector<Layer>& layers,
                            const std::string& prefix, Album& album) {
  const CompareFigures figures = figures_of(run);
  std::string text =
      fmt::format("## Generation with {}: baseline against optimised\n\n", escape(run.model.name));
  text += setting_lines(run) + main_table(run, figures) + notes(run);
  if (const std::string stages = stage_table(run); !stages.empty()) {
    text += stages + album.add(generation_picture(run, number, prefix));
  }
  text += why_lines(run, figures, layers) + texts(run);
  return text + "Again:\n\n" + code_block(shell_command(run.origin.command)) + "\n";
}

}  // namespace trisect::report
