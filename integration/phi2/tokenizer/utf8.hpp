// UTF-8 one sequence at a time, for text that may be broken. Well-formed as in the Unicode Standard, table
// 3-7: no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <cstddef>
#include <string_view>

namespace trisect::phi2 {

struct Utf8Sequence {
  char32_t code_point;  ///< meaningful when well_formed
  std::size_t length;   ///< bytes of the sequence; 1 when it is ill-formed
  bool well_formed;
  bool truncated;  ///< ill-formed only because the text ends: more bytes could complete it
};

/// The sequence at the start of `text`, which is not empty.
inline Utf8Sequence first_sequence(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return {lead, 1, true, false};
  const std::size_t length = lead < 0xc2 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 1;
  if (length == 1) return {0, 1, false, false};
  unsigned low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  unsigned high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  char32_t code_point = lead & (0x7fu >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if (i == text.size()) return {0, 1, false, true};
    if (byte(i) < low || byte(i) > high) return {0, 1, false, false};
    code_point = code_point << 6 | (byte(i) & 0x3fu);
    low = 0x80;
    high = 0xbf;
  }
  return {code_point, length, true, false};
}

}  // namespace trisect::phi2
