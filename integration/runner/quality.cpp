#include "integration/runner/quality.hpp"

#include <algorithm>
#include <cmath>

namespace trisect::runner {
std::int64_t characters_of(std::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char byte) { return (byte & 0xc0) != 0x80; });
}

double kv_bytes_per_token(const phi2::Config& config, Dtype dtype) {
  return 2.0 * config.layers * config.hidden * static_cast<double>(size_of(dtype));
}

std::int64_t predicted_characters(const phi2::Tokenizer& tokenizer, std::span<const std::int32_t> ids,
                                  int window) {
  std::int64_t characters = 0;
  for (std::size_t at = 0; at < ids.size(); at += static_cast<std::size_t>(window)) {
    const std::size_t end = std::min(ids.size(), at + static_cast<std::size_t>(window));
    characters += characters_of(tokenizer.decode(ids.subspan(at + 1, end - at - 1)));
  }
  return characters;
}

double bits_per_character(const phi2::Quality& quality, std::int64_t characters) {
  return quality.nll / std::log(2.0) / static_cast<double>(characters);
}

}  // namespace trisect::runner
