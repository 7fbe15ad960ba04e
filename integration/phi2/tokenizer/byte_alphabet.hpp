// GPT-2's alphabet of printable stand-ins for the 256 bytes, in which the files of byte-level BPE spell their
// tokens: 0x21-7e, 0xa1-ac and 0xae-ff stand for themselves, the other 68 bytes are U+0100 and up, in order
// (a space is U+0120).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace trisect::phi2 {

/// How a file spells the token of one byte (UTF-8).
std::string spelling_of(unsigned char byte);

/// The bytes that `token` (UTF-8) spells; nothing if a character of it is not of the alphabet.
std::optional<std::string> spelled_bytes(std::string_view token);

}  // namespace trisect::phi2
