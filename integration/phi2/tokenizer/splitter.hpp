// GPT-2's splitter: cuts text into the pieces that byte-level BPE works on, one by one. The pieces are the
// matches of
//   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
// (Radford et al., 2019, encoder.py), found without a regular expression engine. A byte that is no part of a
// well-formed UTF-8 sequence counts as one character that is neither space, letter nor number.
#pragma once

#include <cstddef>
#include <string_view>

namespace trisect::phi2 {

/// Length in bytes, at least 1, of the first piece of `text`, which is not empty.
std::size_t first_piece(std::string_view text);

}  // namespace trisect::phi2
