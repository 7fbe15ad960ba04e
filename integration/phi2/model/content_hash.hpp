// Identity of content: which model, which text. Guards against mix-ups, not against forgery.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace trisect::phi2 {

/// 64 bits that depend on every byte and its place; runs at memory speed. Eight lanes take a word each in
/// turn, by a step that is one-to-one in the word, so that two inputs that differ in a single word never
/// collide.
std::uint64_t hash_bytes(const void* data, std::size_t bytes, std::uint64_t seed = 0);
inline std::uint64_t hash_text(std::string_view text, std::uint64_t seed = 0) {
  return hash_bytes(text.data(), text.size(), seed);
}

/// Sixteen hexadecimal digits, as files record it.
std::string hash_name(std::uint64_t hash);

}  // namespace trisect::phi2
