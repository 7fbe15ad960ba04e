// Reads Hugging Face's tokenizer.json of a byte-level BPE of GPT-2's family.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "integration/phi2/tokenizer/bpe.hpp"

namespace trisect::phi2 {

struct AddedToken {
  std::string content;
  TokenId id;
  bool normalized;  ///< looked for after those that are not
};

struct TokenizerFile {
  std::vector<std::string> bytes;  ///< what an id decodes to; the ids are 0..size()-1
  TokensByBytes vocab;             ///< without the added tokens and what is not spelled in the byte alphabet
  std::vector<Merge> merges;       ///< by rank
  std::vector<AddedToken> added_tokens;
  bool add_prefix_space;  ///< text that does not begin with a space gets one
  bool use_regex;         ///< whether the splitter is used at all
  bool ignore_merges;
};

/// Everything in the result is checked: ids are dense, merges name tokens, all 256 bytes have one. What would
/// change the ids and is not known here (normalizers, other pre-tokenizers, models or post-processors,
/// prefixes and suffixes, dropout, added tokens that strip or want whole words) is refused. `truncation` and
/// `padding` are a caller's affair and are ignored. Error(kEnvironment) names the file and the field.
TokenizerFile read_tokenizer_file(const std::filesystem::path& path);

/// Identity of a tokenizer, 16 hexadecimal digits: hash_text() of all that decides ids and bytes, however the file
/// spells it. For each token in the order of ids, its length in bytes, ":" and its bytes; then, each followed by a
/// line end, "merges", "LEFT RIGHT" of each merge, "added", "ID 0" or "ID 1" (normalized) of each added token, and
/// "P R I", each 0 or 1: add_prefix_space, use_regex, ignore_merges.
std::string tokenizer_hash(const TokenizerFile& file);

}  // namespace trisect::phi2
