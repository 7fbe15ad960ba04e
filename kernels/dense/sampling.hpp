// Choosing the next token from its logits. To keep padding rows of the vocabulary out, pass
// logits.first(limit).
#pragma once

#include <cstdint>
#include <span>

#include "kernels/core/random.hpp"

namespace trisect::dense {

/// Index of the largest logit, the lowest one among equals. NaN counts as smallest.
/// Throws Error(kCheckFailed) when there is no logit above minus infinity: what made them is broken.
int argmax(std::span<const float> logits);
[[noreturn]] void refuse_logits(std::size_t count);  ///< that error, where another device saw it

struct SamplingParams {
  float temperature = 0;  ///< 0 means argmax; otherwise logits are divided by it; finite, >= 0
  float top_p = 1;  ///< in (0, 1]: the fewest most probable tokens whose probability reaches it are kept
  Seed seed = 0;
};

/// Throws Error(kUsage) that names the value out of range.
void validate(const SamplingParams& params);

/// Draws an index by softmax(logits / temperature), restricted to the top_p nucleus (Holtzman et al.,
/// "The Curious Case of Neural Text Degeneration", arXiv:1904.09751; among equal logits the lower index comes
/// first). `bits` choose: index i is drawn when they, as a fraction of 2^64, fall on its part of the nucleus,
/// most probable first. Probabilities are integers (sampling_weight.hpp), so every device draws the same
/// index. NaN has probability zero, and so have indices below 1e-11 of the largest; plus infinity wins
/// outright. Throws as argmax() does.
int draw(std::span<const float> logits, float temperature, float top_p, std::uint64_t bits);

/// draw() with bits that depend on (seed, step) alone: same logits, same step, same token. Throws as argmax()
/// and validate() do.
int sample(std::span<const float> logits, const SamplingParams& params, std::uint64_t step);

/// log(softmax(logits)[id]) in f64, for perplexity. NaN in, NaN out.
/// Throws Error(kUsage) for an id outside the logits.
double log_softmax(std::span<const float> logits, int id);

}  // namespace trisect::dense
