// The four classes of code points that the GPT-2 splitter tells apart. Unicode version: see
// unicode_table.cpp.
#pragma once

#include <cstdint>

namespace trisect::phi2 {

enum class CharClass : std::uint8_t {
  kOther,   ///< neither of the below, unassigned ones included
  kLetter,  ///< general category L
  kNumber,  ///< general category N
  kSpace    ///< property White_Space
};

namespace unicode_table {
extern const std::uint8_t kBlock[];  ///< which distinct block of 256 code points, by code point / 256
extern const std::uint64_t kBits[];  ///< 8 words a block, 2 bits a code point, lowest first
}  // namespace unicode_table

/// `code_point` <= 0x10ffff.
inline CharClass char_class(char32_t code_point) {
  const std::uint32_t block = unicode_table::kBlock[code_point >> 8];
  const std::uint64_t word = unicode_table::kBits[block * 8 + (code_point >> 5 & 7)];
  return static_cast<CharClass>(word >> (code_point & 31) * 2 & 3);
}

}  // namespace trisect::phi2
