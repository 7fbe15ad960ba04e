#include "integration/runner/quality.hpp"

#include <algorithm>
#include <cmath>
#include <string>

namespace trisect::runner {
namespace {

std::int64_t characters_of(const std::string& text) {
  return std::count_if(text.begin(), text.end(), [](char byte) { return (byte & 0xc0) != 0x80; });
}

}  // namespace

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
