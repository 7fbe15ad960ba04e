// How tokens lie on the words of a text, and which new ones it uses.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "integration/phi2/model/patch_vocabulary.hpp"
#include "integration/phi2/tokenizer/tokenizer.hpp"

namespace trisect::runner {

/// Entry k: how many words of the text that `ids` stand for begin k tokens. A word is a run of bytes other
/// than ASCII white space; a token belongs to the word of its first such byte. A token that goes on into the
/// next word leaves that with fewer tokens of its own, or none.
std::vector<std::int64_t> tokens_per_word(const phi2::Tokenizer& tokenizer,
                                          std::span<const phi2::TokenId> ids);

struct UsedToken {
  std::size_t added;   ///< index into the patch's
  std::int64_t count;  ///< times in the text
};

/// The new tokens that save the most in `ids`, times used by parts less one; at most `most`.
std::vector<UsedToken> top_tokens(const phi2::PatchVocabulary& patch, std::span<const phi2::TokenId> ids,
                                  std::size_t most);

/// The first characters of UTF-8, whole ones; the text where it has no more.
std::string_view first_characters(std::string_view text, std::int64_t most);

}  // namespace trisect::runner
