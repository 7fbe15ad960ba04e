// A base tokenizer with n-grams of its tokens joined into new ones (AdaptiVocab, arXiv 2503.19693).
//
// 1. The base tokenizer encodes.
// 2. Tokens that were removed are replaced by the tokens that they are made of.
// 3. N-grams become new tokens (kernels/adaptivocab/patch_encode.hpp), by the file's mode.
// 4. Tokens that were moved get their ids.
//
// decode(encode(x)) is what the base tokenizer makes of it: every byte of x. Without removed tokens a text
// never has more tokens than with the base tokenizer.
#pragma once

#include <filesystem>
#include <memory>

#include "integration/phi2/model/patch_vocabulary.hpp"
#include "integration/phi2/tokenizer/tokenizer.hpp"

namespace trisect::phi2 {

class PatchTokenizer final : public Tokenizer {
 public:
  /// The vocabulary is valid and `base` is the tokenizer that it names: `file` is for messages. Throws
  /// Error(kEnvironment) when it is another, and when the pieces of a removed token are not its bytes.
  PatchTokenizer(std::unique_ptr<Tokenizer> base, const std::string& base_hash,
                 const PatchVocabulary& vocabulary, const std::filesystem::path& file);

  std::vector<TokenId> encode(std::string_view text) const override;
  std::string decode(std::span<const TokenId> ids) const override;
  int size() const override { return static_cast<int>(bytes_.size()); }
  std::optional<TokenId> end_of_text() const override { return end_of_text_; }

  const Tokenizer& base() const { return *base_; }
  /// Steps 2 to 4, of ids of the base tokenizer.
  std::vector<TokenId> patched(std::vector<TokenId> base_ids) const;

 private:
  std::unique_ptr<Tokenizer> base_;
  adaptivocab::PatchMode mode_;
  std::unique_ptr<adaptivocab::PatchTrie> trie_;  ///< null without new tokens
  std::vector<std::vector<TokenId>> pieces_;      ///< by base token; empty for those that are still there
  std::vector<TokenId> id_;         ///< of base tokens, then of new ones; empty where nothing has moved
  std::vector<std::string> bytes_;  ///< by patched id
  std::optional<TokenId> end_of_text_;
};

/// Base tokenizer and patch of a file: `tokenizer_json` encodes, `patch_file` says how it is patched. The
/// vocabulary is left in `vocabulary`, if wanted. Errors of read_tokenizer_file(), read_patch_file() and
/// above.
std::unique_ptr<PatchTokenizer> load_patch_tokenizer(const std::filesystem::path& tokenizer_json,
                                                     const std::filesystem::path& patch_file,
                                                     PatchVocabulary* vocabulary = nullptr);

}  // namespace trisect::phi2
