// The tokenizer of phi-1, phi-1.5, phi-2, phi-mini and of any GPT-2 like model:
// equal to Hugging Face's `tokenizers` for every valid text, id by id.
//
// 1. Added tokens are cut out, the leftmost first, of those that begin at one
// place the longest: first the
//    tokens that are not `normalized`, then, in what is left, those that are.
//    Eight spaces before "return" can be one token, and then its space is gone:
//    "return", not " return".
// 2. Each stretch between them is split into pieces (splitter.hpp), after a
// space if `add_prefix_space`.
// 3. Each piece is encoded by byte pairs (bpe.hpp).
//
// Any bytes can be encoded. Those that are not valid UTF-8, which Hugging
// Face's library does not accept, are single characters to the splitter and go
// into the byte pairs like all others. decode(encode(x)) == x for every x, but
// for the space of `add_prefix_space` and for an added token that is also a
// vocabulary entry with another spelling.
#pragma once

#include <filesystem>
#include <memory>

#include "integration/phi2/tokenizer/bpe.hpp"
#include "integration/phi2/tokenizer/token_trie.hpp"
#include "integration/phi2/tokenizer/tokenizer.hpp"

namespace trisect::phi2 {

struct TokenizerFile;

class BpeTokenizer final : public Tokenizer {
public:
  /// Error(kEnvironment) for a file that is missing, broken, or of another kind
  /// (tokenizer_file.hpp).
  static std::unique_ptr<BpeTokenizer>
  load(const std::filesystem::path &tokenizer_json);
  static std::unique_ptr<BpeTokenizer> from(TokenizerFile file);

  /// A long text is cut where neither a piece nor an added token can lie, and
  /// encoded by the team. Error(kUsage) beyond 2^31 - 2 bytes.
  std::vector<TokenId> encode(std::string_view text) const override;
  std::string decode(std::span<const TokenId> ids) const override;
  int size() const override { return static_cast<int>(bytes_.size()); }
  std::optional<TokenId> end_of_text() const override { return end_of_text_; }

private:
  explicit BpeTokenizer(TokenizerFile file);
  /// From `begin` on, the end of a part that can be encoded by itself.
  std::size_t end_of_part(std::string_view text, std::size_t begin) const;
  std::vector<TokenId> encode_part(std::string_view text) const;
  void encode_plain(std::string_view text, Bpe::Scratch &scratch,
                    std::vector<TokenId> &out) const;

  std::vector<std::string> bytes_; ///< by id
  Bpe bpe_;
  TokenTrie added_;
  TokenTrie added_normalized_;
  bool add_prefix_space_;
  bool use_regex_;
  bool can_be_cut_; ///< no added token has a blank after something else in it
  std::optional<TokenId> end_of_text_;
};

} // namespace trisect::phi2
