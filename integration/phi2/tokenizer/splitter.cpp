#include "integration/phi2/tokenizer/splitter.hpp"

#include "integration/phi2/tokenizer/unicode_class.hpp"
#include "integration/phi2/tokenizer/utf8.hpp"

namespace trisect::phi2 {
namespace {

struct Char {
  CharClass of_class;
  std::size_t length;
};

Char first_char(std::string_view text) {
  const Utf8Sequence sequence = first_sequence(text);
  return {sequence.well_formed ? char_class(sequence.code_point) : CharClass::kOther, sequence.length};
}

/// 's 't 'm 'd 're 've 'll: lower case and the ASCII apostrophe only. 0 when there is none.
std::size_t contraction(std::string_view text) {
  if (text[0] != '\'' || text.size() < 2) return 0;
  switch (text[1]) {
    case 's':
    case 't':
    case 'm':
    case 'd':
      return 2;
    case 'r':
    case 'v':
      return text.size() > 2 && text[2] == 'e' ? 3 : 0;
    case 'l':
      return text.size() > 2 && text[2] == 'l' ? 3 : 0;
    default:
      return 0;
  }
}

/// A run of white space that text follows leaves its last character to what follows, unless it is that
/// character.
std::size_t space_run(std::string_view text) {
  std::size_t end = 0;
  std::size_t last = 0;
  while (end < text.size()) {
    const Char c = first_char(text.substr(end));
    if (c.of_class != CharClass::kSpace) return last > 0 ? last : end;
    last = end;
    end += c.length;
  }
  return end;
}

}  // namespace

std::size_t first_piece(std::string_view text) {
  if (const std::size_t length = contraction(text)) return length;
  Char first = first_char(text);
  std::size_t end = first.length;
  if (text[0] == ' ' && text.size() > 1) {
    first = first_char(text.substr(1));
    end += first.length;
  }
  if (first.of_class == CharClass::kSpace) return space_run(text);
  while (end < text.size()) {
    const Char c = first_char(text.substr(end));
    if (c.of_class != first.of_class) break;
    end += c.length;
  }
  return end;
}

}  // namespace trisect::phi2
