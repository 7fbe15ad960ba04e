#include "integration/phi2/tokenizer/byte_alphabet.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

#include "integration/phi2/tokenizer/utf8.hpp"

namespace trisect::phi2 {
namespace {

constexpr std::size_t kAlphabetEnd = 0x144;

struct Alphabet {
  std::array<std::uint16_t, 256> character{};
  std::array<std::int16_t, kAlphabetEnd> byte{};
};

constexpr Alphabet kAlphabet = [] {
  Alphabet a;
  a.byte.fill(-1);
  std::uint16_t next = 0x100;
  for (std::uint16_t b = 0; b < 256; ++b) {
    const bool itself = (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b != 0xad);
    a.character[b] = itself ? b : next++;
    a.byte[a.character[b]] = static_cast<std::int16_t>(b);
  }
  return a;
}();

}  // namespace

std::string spelling_of(unsigned char byte) {
  const unsigned c = kAlphabet.character[byte];
  if (c < 0x80) return {static_cast<char>(c)};
  return {static_cast<char>(0xc0 | c >> 6), static_cast<char>(0x80 | (c & 0x3f))};
}

std::optional<std::string> spelled_bytes(std::string_view token) {
  std::string bytes;
  while (!token.empty()) {
    const Utf8Sequence sequence = first_sequence(token);
    if (!sequence.well_formed || sequence.code_point >= kAlphabetEnd ||
        kAlphabet.byte[sequence.code_point] < 0)
      return {};
    bytes.push_back(static_cast<char>(kAlphabet.byte[sequence.code_point]));
    token.remove_prefix(sequence.length);
  }
  return bytes;
}

}  // namespace trisect::phi2
