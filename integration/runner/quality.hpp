// How well a text was predicted, in units that do not depend on the tokenizer.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "integration/phi2/engine/evaluate.hpp"
#include "integration/phi2/tokenizer/tokenizer.hpp"

namespace trisect::runner {

/// Characters (Unicode code points) that the predicted tokens stand for: all but those of each window's first
/// token, as phi2::evaluate() cuts `ids`. A character counts where its first byte is.
std::int64_t predicted_characters(const phi2::Tokenizer& tokenizer, std::span<const std::int32_t> ids,
                                  int window);

/// Characters (Unicode code points) of UTF-8, counted by their first bytes.
std::int64_t characters_of(std::string_view text);

/// Bytes that a token's keys and values take in every layer together.
double kv_bytes_per_token(const phi2::Config& config, Dtype dtype);

/// Bits per character of `quality` over the same ids.
double bits_per_character(const phi2::Quality& quality, std::int64_t characters);

}  // namespace trisect::runner
