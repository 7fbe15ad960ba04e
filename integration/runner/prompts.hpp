// What generation starts from.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "integration/runner/model.hpp"

namespace trisect::runner {

struct Prompt {
  std::string text;  ///< any bytes: those that are not valid UTF-8 are encoded as they are; "" for random ids
  std::vector<std::int32_t> ids;
  std::vector<std::int32_t> forced{};  ///< the answer, where a text gives it (see phi2::GenerateOptions)
};

/// Passages of a text for --decode-text, evenly spread: a prompt of the first sixth of so many characters, to
/// be followed by the others. Cut where white space begins, so that no word is torn. Throws Error(kUsage) for
/// a text that is too short.
struct Passage {
  std::string prompt, answer;
};
std::vector<Passage> passages_of(std::string_view text, const PromptOptions& options);

/// One of --decode-text, --prompt, --prompts (a prompt a line, empty lines left out) and --prompt-tokens;
/// without any, random ids for a model that has no tokenizer. Throws Error(kUsage) when there is no prompt or
/// a text but no tokenizer, Error(kEnvironment) for a file that cannot be read.
std::vector<Prompt> read_prompts(const PromptOptions& options, const Model& model, Seed seed);

/// Tokens that the KV cache needs: `sampling.context`, or as many as the longest prompt and its answer.
/// Throws Error(kUsage) when that is more than the model's positions, or a prompt needs more than --context.
int context_for(const std::vector<Prompt>& prompts, const SamplingOptions& sampling,
                const phi2::Config& config);

}  // namespace trisect::runner
