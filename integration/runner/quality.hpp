// How well a text was predicted, in units that do not depend on the tokenizer.
#pragma once

#include <cstdint>
#include <span>

#include "integration/phi2/engine/evaluate.hpp"
#include "integration/phi2/tokenizer/tokenizer.hpp"

namespace trisect::runner {

/// Characters (Unicode code points) that the predicted tokens stand for: all but those of each window's first
/// token, as phi2::evaluate() cuts `ids`. A character counts where its first byte is.
std::int64_t predicted_characters(const phi2::Tokenizer& tokenizer, std::span<const std::int32_t> ids,
                                  int window);

/// Bits per character of `quality` over the same ids.
double bits_per_character(const phi2::Quality& quality, std::int64_t characters);

}  // namespace trisect::runner
