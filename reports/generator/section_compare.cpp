#include <fmt/format.h>
#include <fmt/ranges.h>

#include "reports/generator/markdown.hpp"
#include "reports/generator/sections.hpp"
#include "reports/generator/units.hpp"
#include "reports/generator/why.hpp"

namespace trisect::report {
namespace {

std::string larosa_text(const Settings& settings) {
  if (settings.larosa_mode.empty()) return "";
  return fmt::format(
      " LaRoSA: mode {}, sparsity {} (times {} for q, k, v and fc1, times {} for dense and fc2{}).",
      escape(settings.larosa_mode), sparsity(settings.sparsity_permille), settings.coefficient_in,
      settings.coefficient_out,
      settings.weight_sparsity ? ": " + percent(*settings.weight_sparsity) + " of the layers' weights" : "");
}

std::string patch_text(const Settings& settings) {
  if (!settings.patch) return "";
  return fmt::format(" AdaptiVocab: {} tokens added, {} removed, {} in all, {}.", settings.patch->added,
                     settings.patch->removed, settings.patch->tokens,
                     settings.patch->tuned ? "with the weights of an adapted model" : "without fine-tuning");
}

std::string texts_text(const CompareRun& run) {
  const Settings& settings = run.settings;
  if (!settings.forced_text.empty())
    return fmt::format("{} of {}, given and not drawn, so that all sides decode the same characters",
                       count(static_cast<long>(run.prompts.size()), "passage"), escape(settings.forced_text));
  return fmt::format("{}, at most {} each, {}", count(static_cast<long>(run.prompts.size()), "prompt"),
                     count(settings.max_new_tokens, "new token"),
                     settings.temperature > 0
                         ? fmt::format("temperature {}, top-p {}, seed {}", number(settings.temperature),
                                       number(settings.top_p), settings.seed)
                         : "greedy");
}

std::string setting_lines(const CompareRun& run) {
  const Model& model = run.model;
  const Settings& settings = run.settings;
  std::string text = fmt::format(
      "Model: {} ({:.0f} parameters; {} layers, hidden {}, {} heads, intermediate {}, vocabulary {}; hash "
      "`{}`). Weights {}, device {}, {}, room for {}.{}{} {}; {}, sides in turn, each in a process of its "
      "own.\n\n",
      escape(model.name), model.parameters, model.layers, model.hidden, model.heads, model.intermediate,
      model.vocab, escape(model.hash), escape(settings.dtype), escape(settings.device),
      count(settings.threads, "thread"), count(settings.context, "token"), larosa_text(settings),
      patch_text(settings), capitalized(texts_text(run)), count(settings.repetitions, "repetition"));
  for (const Side& side : run.sides) {
    text += fmt::format("- **{}**: {}.{}\n", escape(side.name), escape(side.description),
                        side.rotation.empty() ? "" : " Rotations: " + escape(side.rotation) + ".");
  }
  return text + "\n";
}

std::string time_cell(const std::optional<Summary>& time) {
  return time ? fmt::format("{} ({})", seconds(time->median), percent(noise(*time))) : kNone;
}

std::string time_table(const CompareRun& run) {
  Table table({{"", kLeft},
               {"prefill"},
               {"decode"},
               {"a token"},
               {"99 %"},
               {"tokens/s"},
               {"characters/s"},
               {"speed-up", kLeft},
               {"product of parts"},
               {"load"}});
  for (const Side& side : run.sides) {
    const CompareFigures figures = figures_of(run, side);
    const SideFigures& own = figures.optimized;
    std::string speed = kNone;
    if (side.parts.empty()) {
      speed = "1";
    } else if (figures.speed) {
      speed = fmt::format("{}, {}", times(figures.speed->ratio), name_of(figures.speed->verdict));
    }
    const auto product = product_of_parts(run, side);
    table.add({escape(side.name), time_cell(own.prefill), time_cell(own.decode), time_cell(own.token),
               own.token_p99 ? seconds(*own.token_p99) : kNone, optional_number(own.decode_rate()),
               optional_number(own.character_rate()), speed, product ? times(*product) : kNone,
               own.load ? seconds(own.load->median) : kNone});
  }
  std::string text =
      table.markdown() +
      "Times are of one repetition over all prompts: median and, in brackets, the quartiles' distance "
      "in % of it; tokens/s are of decoding. Speed-up: characters a second, prompts included, over the "
      "baseline's (tokens, where there is no text), paired by repetition, with the interval of 99 %.";
  if (run.probe_gbps)
    text += fmt::format(" Read bandwidth of the machine in this run: {} GB/s.", number(*run.probe_gbps));
  const bool groups = std::any_of(run.sides.begin(), run.sides.end(), [&](const Side& side) {
    return side.generations.size() < run.baseline().generations.size();
  });
  if (groups)
    text +=
        " Not all sides fit into memory at once: groups of them took turns with the baseline, and the times "
        "of two "
        "groups may be of two states of the machine. Speed-ups are of one group, and comparable.";
  return text + "\n\n";
}

std::string memory_table(const CompareRun& run) {
  Table table({{"memory", kLeft},
               {"peak"},
               {"weights"},
               {"rotations"},
               {"scratch"},
               {"KV reserved"},
               {"KV committed"},
               {"KV used"},
               {"everything else"},
               {"KV of 1000 characters"}});
  for (const Side& side : run.sides) {
    if (!side.memory) continue;
    const Memory& m = *side.memory;
    const auto kv = kv_bytes_per_1000_characters(side, figures_of(run, side).optimized, run.prompts);
    table.add({escape(side.name), bytes(m.peak), bytes(m.weights), bytes(m.rotations), bytes(m.scratch),
               bytes(m.kv_reserved), bytes(m.kv), bytes(m.kv_used), bytes(m.rest()),
               kv ? bytes(*kv) : kNone});
  }
  if (table.empty()) return "";
  return table.markdown() +
         "The peak is the process's, by the system's account. Reserved is address space; committed has "
         "memory behind "
         "it. Everything else: the program, its libraries, and what loading needed for a moment, less what "
         "was "
         "allocated and never touched, as scratch for longer prompts.\n\n";
}

std::string agreement_cell(const Side& side) {
  if (!side.agreement) return kNone;
  return fmt::format("{} of {} with {}", side.agreement->identical, side.agreement->prompts,
                     escape(side.agreement->with));
}

std::string check_cell(const Side& side) {
  if (!side.check) return kNone;
  const std::string error = side.check->error ? fmt::format("{:.2g}", *side.check->error) : "not finite";
  return fmt::format("{}, {} of {:.2g}", side.check->passed ? "passed" : "**FAILED**", error,
                     side.check->tolerance);
}

std::string check_text(const CompareRun& run) {
  const auto& check = run.baseline().check;
  if (!check) return "";
  return fmt::format(
      "Check: before it was timed, each side's logits of a prompt's first tokens ({} of the baseline's) with "
      "nothing dropped, beside those that the plain kernels, which sum in double, give for the same weights: "
      "relative error, and what is allowed. ",
      check->tokens);
}

std::string quality_table(const CompareRun& run) {
  Table table({{"tokens and quality", kLeft},
               {"check", kLeft},
               {"tokens in"},
               {"tokens out"},
               {"characters out"},
               {"bits per character"},
               {"perplexity"},
               {"KL, nats"},
               {"same first choice"},
               {"texts identical", kLeft}});
  const Quality* judged = nullptr;
  for (const Side& side : run.sides) {
    const SideFigures own = figures_of(run, side).optimized;
    const Quality quality = side.quality.value_or(Quality{});
    if (side.quality) judged = &*side.quality;
    table.add({escape(side.name), check_cell(side), own.total ? fmt::format("{:.0f}", own.tokens_in) : kNone,
               own.total ? fmt::format("{:.0f}", own.tokens_out) : kNone,
               own.characters_out ? fmt::format("{:.0f}", *own.characters_out) : kNone,
               quality.bits_per_character ? fmt::format("{:.4f}", *quality.bits_per_character) : kNone,
               optional_number(quality.perplexity), optional_number(quality.kl_nats),
               quality.agreement ? percent(*quality.agreement) : kNone, agreement_cell(side)});
  }
  std::string text = table.markdown() + check_text(run);
  if (judged == nullptr)
    return text + "Quality was not judged: these weights have never learned anything.\n\n";
  return text + fmt::format(
                    "Quality is on {}: perplexity is per token and stands only where the vocabulary is the "
                    "baseline's; KL and first choices are with LaRoSA, beside the same model without.\n\n",
                    escape(judged->text));
}

/// Each part alone and all of them together.
std::vector<const Side*> explained(const CompareRun& run) {
  std::vector<const Side*> sides;
  for (const Side& side : run.sides) {
    if (side.parts.size() == 1) sides.push_back(&side);
  }
  const Side& last = run.sides.back();
  if (last.parts.size() > 1) sides.push_back(&last);
  return sides;
}

std::string why_lines(const CompareRun& run, const std::vector<Layer>& layers) {
  std::string text = "### Why\n\n";
  for (const Side* side : explained(run)) {
    const WhyFacts facts(run, *side, layers);
    text += fmt::format("#### {} beside the baseline\n\n", escape(side->name));
    for (const Question& question : questions()) {
      std::string lines;
      for (const Rule& rule : question.rules) {
        if (const Finding finding = rule.apply(facts)) lines += "- " + *finding + "\n";
      }
      if (!lines.empty()) text += fmt::format("**{}**\n\n{}\n", question.title, lines);
    }
  }
  return text;
}

std::string variants(const CompareRun& run) {
  std::string text;
  for (const Side& side : run.sides) {
    std::vector<std::string> ran;
    for (const auto& [op, variant] : side.variants) ran.push_back(escape(op) + " " + escape(variant));
    if (!ran.empty()) text += fmt::format("- {}: {}\n", escape(side.name), fmt::join(ran, ", "));
  }
  return text.empty() ? "" : details("The kernels that ran", text);
}

std::string texts(const CompareRun& run) {
  if (!run.settings.forced_text.empty()) return "";
  std::string rows;
  for (std::size_t i = 0; i < run.prompts.size(); ++i) {
    rows += fmt::format("<tr><th colspan=\"2\">{}</th></tr>\n", escape_html(run.prompts[i].text));
    for (const Side& side : run.sides) {
      const auto found =
          std::find_if(side.generations.begin(), side.generations.end(),
                       [&](const Generation& one) { return one.prompt == static_cast<int>(i); });
      if (found == side.generations.end() || found->text.empty()) continue;
      rows +=
          fmt::format("<tr><td>{}</td><td>{}</td></tr>\n", escape_html(side.name), escape_html(found->text));
    }
  }
  return details("The generated texts side by side", "<table>\n" + rows + "</table>\n");
}

}  // namespace

std::string compare_section(const CompareRun& run, const Results& results, int number,
                            const std::vector<Layer>& layers, const std::string& prefix, Album& album) {
  std::string text = fmt::format("## Generation with {}: {}\n\n", escape(run.model.name),
                                 run.sides.size() > 2 ? fmt::format("{} combinations", run.sides.size())
                                                      : "baseline against " + escape(run.sides.back().name));
  text += setting_lines(run) + time_table(run) + memory_table(run) + quality_table(run);
  text += combination_section(run);
  if (const std::string stages = attribution_section(run); !stages.empty())
    text += stages + album.add(generation_picture(run, number, prefix));
  text += budget_section(run, results);
  text += why_lines(run, layers) + variants(run) + texts(run);
  return text + "Again:\n\n" + code_block(shell_command(run.origin.command)) + "\n";
}

}  // namespace trisect::report
