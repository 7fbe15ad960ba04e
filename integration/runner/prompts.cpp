#include "integration/runner/prompts.hpp"

#include <algorithm>
#include <sstream>

#include "integration/runner/files.hpp"
#include "kernels/core/error.hpp"
#include "kernels/core/random.hpp"

namespace trisect::runner {
namespace {

constexpr int kDefaultRandomTokens = 16;
constexpr std::uint64_t kPromptSeed = 0x70726f6d7074;

Prompt random_prompt(int tokens, int vocabulary, Seed seed) {
  Prompt prompt;
  for (int i = 0; i < tokens; ++i) {
    const std::uint64_t bits = random_bits(derive(seed, kPromptSeed), static_cast<std::uint64_t>(i));
    prompt.ids.push_back(static_cast<std::int32_t>(bits % static_cast<std::uint64_t>(vocabulary)));
  }
  return prompt;
}

std::vector<std::string> lines_of(const std::string& path) {
  std::istringstream text(read_text(path));
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) {
    if (line.ends_with('\r')) line.pop_back();
    if (!line.empty()) lines.push_back(line);
  }
  if (lines.empty()) usage_error("--prompts {}: no prompt in it", path);
  return lines;
}

std::vector<Prompt> forced_prompts(const PromptOptions& options, const Model& model) {
  if (!model.tokenizer)
    usage_error("--decode-text: {} has no tokenizer.json: add --tokenizer DIR", model.source.name);
  std::vector<Prompt> prompts;
  for (const Passage& passage : passages_of(read_text(options.decode_text), options)) {
    prompts.push_back(
        {passage.prompt, model.tokenizer->encode(passage.prompt), model.tokenizer->encode(passage.answer)});
  }
  return prompts;
}

bool is_space(char byte) { return byte == ' ' || byte == '\n'; }

/// The first white space from `at` on that follows something else.
std::size_t next_gap(std::string_view text, std::size_t at) {
  for (at = std::max<std::size_t>(at, 1); at < text.size(); ++at) {
    if (is_space(text[at]) && !is_space(text[at - 1])) return at;
  }
  return text.size();
}

}  // namespace

std::vector<Passage> passages_of(std::string_view text, const PromptOptions& options) {
  const auto wanted = static_cast<std::size_t>(options.passages);
  const auto length = static_cast<std::size_t>(options.passage_characters);
  std::vector<Passage> passages;
  for (std::size_t i = 0; i < wanted; ++i) {
    const std::size_t begin = next_gap(text, i * (text.size() / wanted));
    const std::size_t middle = next_gap(text, begin + length / 6), end = next_gap(text, begin + length);
    if (end >= text.size() || (i + 1 < wanted && end > (i + 1) * (text.size() / wanted))) {
      usage_error("--decode-text: {} bytes are too few for {} passages of {} characters", text.size(), wanted,
                  length);
    }
    passages.push_back(
        {std::string(text.substr(begin, middle - begin)), std::string(text.substr(middle, end - middle))});
  }
  return passages;
}

std::vector<Prompt> read_prompts(const PromptOptions& options, const Model& model, Seed seed) {
  if (!options.decode_text.empty()) return forced_prompts(options, model);
  const bool text_given = options.text || !options.file.empty();
  if (options.random_tokens > 0 || (!text_given && !model.tokenizer)) {
    return {random_prompt(options.random_tokens > 0 ? options.random_tokens : kDefaultRandomTokens,
                          model.vocabulary(), seed)};
  }
  if (!text_given) usage_error("no prompt: add --prompt TEXT or --prompts FILE");
  if (!model.tokenizer) {
    usage_error("{} has no tokenizer.json: add --tokenizer DIR, or --prompt-tokens N for random ids",
                model.source.name);
  }
  std::vector<Prompt> prompts;
  for (const std::string& text : options.text ? std::vector{*options.text} : lines_of(options.file)) {
    if (text.empty()) usage_error("--prompt is empty: generation needs a token to start from");
    prompts.push_back({text, model.tokenizer->encode(text), {}});
  }
  return prompts;
}

int context_for(const std::vector<Prompt>& prompts, const SamplingOptions& sampling,
                const phi2::Config& config) {
  if (sampling.context > config.positions) {
    usage_error("--context {}: the model has {} positions", sampling.context, config.positions);
  }
  const int limit = sampling.context > 0 ? sampling.context : config.positions;
  std::size_t needed = 0;
  for (const Prompt& prompt : prompts) {
    const std::size_t answer =
        prompt.forced.empty() ? static_cast<std::size_t>(sampling.max_new_tokens) : prompt.forced.size();
    needed = std::max(needed, prompt.ids.size() + answer);
    if (needed <= static_cast<std::size_t>(limit)) continue;
    usage_error("a prompt of {} tokens and {} new ones exceed the context of {}: shorten it or lower {}",
                prompt.ids.size(), answer, limit,
                prompt.forced.empty() ? "--max-new-tokens" : "--passage-characters");
  }
  return sampling.context > 0 ? sampling.context : static_cast<int>(needed);
}

}  // namespace trisect::runner
