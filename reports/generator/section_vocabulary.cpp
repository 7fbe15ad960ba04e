#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "reports/generator/markdown.hpp"
#include "reports/generator/pictures_vocabulary.hpp"
#include "reports/generator/sections.hpp"
#include "reports/generator/units.hpp"

namespace trisect::report {
namespace {

std::string whole(double value) { return fmt::format("{:.0f}", value); }
std::string tenths(double value) { return fmt::format("{:.1f}", value); }
std::string bits(const std::optional<double>& value) { return value ? fmt::format("{:.4f}", *value) : kNone; }

const TextQuality* quality_of(const VocabularySide& side, const std::string& text) {
  for (const TextQuality& quality : side.quality) {
    if (quality.text == text) return &quality;
  }
  return nullptr;
}

std::optional<double> bits_of(const VocabularySide& side, const std::string& text) {
  const TextQuality* quality = quality_of(side, text);
  return quality == nullptr ? std::nullopt : quality->bits_per_character;
}

std::string setting_lines(const VocabularyRun& run) {
  std::string text = fmt::format(
      "Model: {} ({:.0f} parameters, hash `{}`), weights {}, device {}, {}. {} tokens added, {} removed.\n\n",
      escape(run.model.name), run.model.parameters, escape(run.model.hash), escape(run.dtype),
      escape(run.device), count(run.threads, "thread"), run.added, run.removed);
  for (const VocabularySide& side : run.sides)
    text += fmt::format("- {}: {}; {} in use.\n", escape(side.name), escape(side.description),
                        count(side.vocabulary, "token"));
  return text + "\n";
}

std::string token_table(const VocabularyRun& run) {
  Table table({{"text", kLeft},
               {"characters"},
               {"tokens, base"},
               {"adapted"},
               {"fewer"},
               {"characters a token, base"},
               {"adapted"}});
  for (const TokenizedText& text : run.texts) {
    table.add({escape(text.name), whole(text.characters), whole(text.base_tokens), whole(text.patched_tokens),
               percent(text.reduction()), number(text.characters / text.base_tokens),
               number(text.characters / text.patched_tokens)});
  }
  return table.markdown();
}

std::string word_table(const VocabularyRun& run) {
  std::vector<Table::Column> columns = {{"text", kLeft}, {"vocabulary", kLeft}};
  for (std::size_t k = 0; k <= kMostTokensPerWord; ++k)
    columns.push_back({fmt::format("{}{}", k, k == kMostTokensPerWord ? " or more" : "")});
  Table table(columns);
  for (const TokenizedText& text : run.texts) {
    for (const auto& [name, words] :
         {std::pair{"base", &text.base_words}, {"adapted", &text.patched_words}}) {
      std::vector<std::string> cells = {escape(text.name), name};
      for (const double share : word_shares(*words)) cells.push_back(fmt::format("{:.1f}", share));
      table.add(cells);
    }
  }
  return table.markdown();
}

double share_of(const std::vector<double>& words, std::size_t first, std::size_t last) {
  const auto shares = word_shares(words);
  return std::accumulate(shares.begin() + static_cast<std::ptrdiff_t>(first),
                         shares.begin() + static_cast<std::ptrdiff_t>(last) + 1, 0.0) /
         100;
}

/// Why a text has more tokens than another, and why it lost fewer.
std::string why_lines(const VocabularyRun& run) {
  std::string text = "**Why more tokens, why fewer**\n\n";
  for (const TokenizedText& one : run.texts) {
    text += fmt::format(
        "- {}: with the base vocabulary {} of the words take two tokens or more, adapted {}; {} are begun by "
        "the "
        "token of the word before them, which is where n-grams that cross words save.\n",
        escape(one.name), percent(share_of(one.base_words, 2, kMostTokensPerWord)),
        percent(share_of(one.patched_words, 2, kMostTokensPerWord)),
        percent(share_of(one.patched_words, 0, 0)));
  }
  if (run.texts.size() > 1) {
    const auto [least, most] = std::minmax_element(
        run.texts.begin(), run.texts.end(),
        [](const TokenizedText& a, const TokenizedText& b) { return a.reduction() < b.reduction(); });
    text += fmt::format(
        "- {} loses {} of its tokens and {} {}: the n-grams are the domain's, and where they do not occur a "
        "text "
        "keeps its tokens.{}\n",
        escape(most->name), percent(most->reduction()), escape(least->name), percent(least->reduction()),
        run.removed == 0 ? " Nothing was removed, so no text can have more tokens than before." : "");
  }
  return text + "\n";
}

std::string top_table(const VocabularyRun& run) {
  Table table({{"new token", kLeft}, {"base tokens"}, {"times"}, {"tokens saved"}});
  for (const TopToken& token : run.top)
    table.add({code("\"" + token.text + "\""), whole(token.parts), whole(token.count),
               whole(token.count * (token.parts - 1))});
  return details("The new tokens that save the most in " + escape_html(run.top_text), table.markdown());
}

std::string quality_table(const VocabularyRun& run) {
  std::vector<Table::Column> columns = {{"", kLeft}};
  for (const TokenizedText& text : run.texts) {
    columns.push_back({escape(text.name) + ", bits per character"});
    columns.push_back({"over base"});
  }
  Table table(columns);
  for (const VocabularySide& side : run.sides) {
    std::vector<std::string> cells = {escape(side.name)};
    for (const TokenizedText& text : run.texts) {
      const auto value = bits_of(side, text.name), base = bits_of(run.sides.front(), text.name);
      cells.push_back(bits(value));
      cells.push_back(value && base && *base > 0 ? signed_percent(*value / *base - 1) : kNone);
    }
    table.add(cells);
  }
  const TextQuality* first = quality_of(run.sides.front(), run.texts.front().name);
  return "### Quality\n\n" + table.markdown() +
         fmt::format(
             "Bits per character{} in windows of {}, each with an empty cache; lower is better. Perplexity "
             "is per "
             "token, so it is not compared across vocabularies.\n\n",
             first == nullptr
                 ? ""
                 : fmt::format(" of the first {:.0f} characters of each text,", first->characters),
             count(run.window_tokens, "token"));
}

/// Over all prompts of one seed.
struct Output {
  double tokens = 0, characters = 0, steps = 0, seconds = 0;
  int ended = 0, samples = 0;
};

/// Seeds of which every prompt was continued.
std::vector<Output> outputs_of(const VocabularyRun& run, const VocabularySide& side) {
  std::map<long, Output> seeds;
  for (const Sample& sample : side.samples) {
    Output& output = seeds[sample.seed];
    output.tokens += sample.tokens_out;
    output.characters += sample.characters_out;
    output.steps += sample.decode_steps;
    output.seconds += sample.decode_s;
    output.ended += sample.ended ? 1 : 0;
    ++output.samples;
  }
  std::vector<Output> whole_ones;
  for (const auto& [seed, output] : seeds) {
    if (output.samples == run.prompts && output.characters > 0 && output.seconds > 0)
      whole_ones.push_back(output);
  }
  return whole_ones;
}

std::vector<double> of_each(const std::vector<Output>& outputs, double (*value)(const Output&)) {
  std::vector<double> values;
  for (const Output& output : outputs) values.push_back(value(output));
  return values;
}

std::string interval(const MeanInterval& it, std::string (*shown)(double)) {
  return it.samples < 2 ? shown(it.mean)
                        : fmt::format("{} ({}–{})", shown(it.mean), shown(it.low), shown(it.high));
}

double tokens_per_1000(const Output& output) { return 1000 * output.tokens / output.characters; }
double characters_of(const Output& output) { return output.characters; }
double characters_per_s(const Output& output) { return output.characters / output.seconds; }
double tokens_per_s(const Output& output) { return output.steps / output.seconds; }

std::string speed_table(const VocabularyRun& run) {
  Table table({{"", kLeft},
               {"characters/s, decoding"},
               {"tokens/s"},
               {"characters/s, evaluating"},
               {"weights"},
               {"KV cache of 1000 characters"}});
  for (const VocabularySide& side : run.sides) {
    const auto outputs = outputs_of(run, side);
    const auto rate = [&](double (*value)(const Output&)) {
      return outputs.empty() ? std::string(kNone) : number(summarize(of_each(outputs, value)).median);
    };
    const TextQuality* quality = quality_of(side, run.texts.front().name);
    table.add(
        {escape(side.name), rate(characters_per_s), rate(tokens_per_s),
         quality != nullptr && quality->evaluate_s > 0 ? number(quality->characters / quality->evaluate_s)
                                                       : kNone,
         bytes(side.weights_bytes),
         quality != nullptr ? bytes(1000 * side.kv_bytes_per_token * quality->tokens / quality->characters)
                            : kNone});
  }
  return "### Speed and memory by characters\n\n" + table.markdown() +
         fmt::format(
             "Rates are medians over seeds of all prompts together; evaluating and the cache are of {}.\n\n",
             escape(run.texts.front().name));
}

std::string output_table(const VocabularyRun& run) {
  Table table(
      {{"", kLeft}, {"seeds"}, {"characters out"}, {"tokens for 1000 characters"}, {"ended by themselves"}});
  for (const VocabularySide& side : run.sides) {
    const auto outputs = outputs_of(run, side);
    if (outputs.empty()) continue;
    int ended = 0, samples = 0;
    for (const Output& output : outputs) {
      ended += output.ended;
      samples += output.samples;
    }
    table.add({escape(side.name), whole(static_cast<double>(outputs.size())),
               interval(mean_interval(of_each(outputs, characters_of)), whole),
               interval(mean_interval(of_each(outputs, tokens_per_1000)), tenths),
               fmt::format("{} of {}", ended, samples)});
  }
  if (table.empty()) return "";
  return "### Output lengths over seeds\n\n" + table.markdown() +
         fmt::format(
             "{} prompts, at most {} new tokens each, temperature {}, top-p {}: sums of all prompts, the "
             "mean over the "
             "seeds and its 95 % interval. {}\n\n",
             run.prompts, run.max_new_tokens, number(run.temperature), number(run.top_p),
             vocabulary_output(run));
}

}  // namespace

std::string vocabulary_output(const VocabularyRun& run) {
  const auto base = outputs_of(run, run.sides.front()), last = outputs_of(run, run.sides.back());
  if (base.size() < 2 || last.size() < 2) return "";
  const MeanInterval from = mean_interval(of_each(base, tokens_per_1000)),
                     to = mean_interval(of_each(last, tokens_per_1000));
  const bool apart = to.high < from.low || from.high < to.low;
  return fmt::format("For 1000 characters of output {} needs {} tokens and {} {} ({}): {}.",
                     escape(run.sides.front().name), interval(from, tenths), escape(run.sides.back().name),
                     interval(to, tenths), signed_percent(to.mean / from.mean - 1),
                     apart ? "the intervals over the seeds do not meet, so this is more than chance"
                           : "the intervals over the seeds meet, so this is not read as an effect");
}

std::string vocabulary_headline(const VocabularyRun& run) {
  std::string text = fmt::format("**{} with {} more tokens: ", escape(run.model.name), run.added);
  for (std::size_t i = 0; i < run.texts.size(); ++i) {
    const double fewer = run.texts[i].reduction();
    text += fmt::format("{}{} has {} {} tokens", i == 0 ? "" : ", ", escape(run.texts[i].name),
                        percent(std::abs(fewer)), fewer >= 0 ? "fewer" : "more");
  }
  text += ".**";
  const std::string& domain = run.texts.front().name;
  std::string sides;
  for (const VocabularySide& side : run.sides) {
    if (const auto value = bits_of(side, domain))
      sides += fmt::format("{}{} {}", sides.empty() ? "" : ", ", escape(side.name), bits(value));
  }
  if (!sides.empty()) text += fmt::format(" Bits per character on {}: {}.", escape(domain), sides);
  const std::string output = vocabulary_output(run);
  return output.empty() ? text : text + " " + output;
}

std::string vocabulary_section(const VocabularyRun& run, int number, const std::string& prefix,
                               Album& album) {
  std::string text =
      fmt::format("## An adapted vocabulary: {}\n\n", escape(run.model.name)) + setting_lines(run);
  text += vocabulary_headline(run) + "\n\n### Tokens in\n\n" + token_table(run);
  text += "Words, in %, by the number of tokens that begin in them:\n\n" + word_table(run);
  text += album.add(words_picture(run, number, prefix));
  text += why_lines(run) + (run.top.empty() ? "" : top_table(run));
  text += quality_table(run) + speed_table(run) + output_table(run);
  return text + "Again:\n\n" + code_block(shell_command(run.origin.command)) + "\n";
}

}  // namespace trisect::report
