// From a prompt to new tokens: prefill in blocks, then one token a step.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "integration/phi2/engine/engine.hpp"
#include "kernels/dense/sampling.hpp"

namespace trisect::phi2 {

struct GenerateOptions {
  int max_new_tokens = 64;
  dense::SamplingParams sampling{};
  int vocabulary =
      0;  ///< only ids below it are drawn: rows beyond the tokenizer's are padding; 0 means all rows
  std::optional<std::int32_t> end_of_text{};  ///< ends the generation, and is not part of it
  /// Borrowed; where given, its ids are taken in place of those drawn, which are drawn all the same: a text
  /// that the model is made to write. Then the generation ends with it or with max_new_tokens.
  std::span<const std::int32_t> forced{};
};

enum class Finish { kLength, kEndOfText, kInterrupted };

struct Generation {
  std::vector<std::int32_t> ids;  ///< the new ones
  double prefill_s = 0;           ///< until the first new token was chosen
  std::vector<double> token_s;    ///< each decode step: of every further token
  Finish finish = Finish::kLength;
};

/// `on_token` sees each new token as soon as it is chosen. The same engine, prompt and options give the same
/// ids. Ctrl-C (watch_interrupts) ends it after the step at hand. Throws Error(kUsage) for an empty prompt,
/// for ids out of range, and when prompt and new tokens together exceed the engine's context.
Generation generate(Engine& engine, std::span<const std::int32_t> prompt, const GenerateOptions& options,
                    const std::function<void(std::int32_t)>& on_token = {});

}  // namespace trisect::phi2
