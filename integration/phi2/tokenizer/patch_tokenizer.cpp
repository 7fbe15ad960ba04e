#include "integration/phi2/tokenizer/patch_tokenizer.hpp"

#include <algorithm>
#include <utility>

#include "integration/phi2/tokenizer/bpe_tokenizer.hpp"
#include "integration/phi2/tokenizer/tokenizer_file.hpp"
#include "kernels/core/buffer.hpp"
#include "kernels/core/error.hpp"

namespace trisect::phi2 {
namespace {

std::unique_ptr<adaptivocab::PatchTrie> make_trie(const PatchVocabulary& vocabulary) {
  if (vocabulary.added.empty()) return nullptr;
  std::size_t n = 2;
  for (const auto& added : vocabulary.added) n = std::max(n, added.parts.size());
  std::vector<std::int32_t> patterns(vocabulary.added.size() * n, -1);
  for (std::size_t e = 0; e < vocabulary.added.size(); ++e) {
    std::copy(vocabulary.added[e].parts.begin(), vocabulary.added[e].parts.end(),
              patterns.begin() + static_cast<std::ptrdiff_t>(e * n));
  }
  return std::make_unique<adaptivocab::PatchTrie>(
      View::of(patterns.data(), static_cast<std::int64_t>(vocabulary.added.size()),
               static_cast<std::int64_t>(n)),
      vocabulary.base_tokens);
}

/// By base token, then by new token; empty where each is its own number.
std::vector<TokenId> ids_of(const PatchVocabulary& vocabulary) {
  std::vector<TokenId> ids = vocabulary.ids_of_base();
  for (const auto& added : vocabulary.added) ids.push_back(added.id);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] != static_cast<TokenId>(i)) return ids;
  }
  return {};
}

}  // namespace

PatchTokenizer::PatchTokenizer(std::unique_ptr<Tokenizer> base, const std::string& base_hash,
                               const PatchVocabulary& vocabulary, const std::filesystem::path& file)
    : base_(std::move(base)),
      mode_(vocabulary.mode),
      trie_(make_trie(vocabulary)),
      pieces_(static_cast<std::size_t>(vocabulary.base_tokens)),
      id_(ids_of(vocabulary)),
      bytes_(static_cast<std::size_t>(vocabulary.size())) {
  if (base_->size() != vocabulary.base_tokens || base_hash != vocabulary.base_hash) {
    environment_error(
        "{}: base.hash is {} ({} tokens), but the model's tokenizer is {} ({} tokens): the file is for "
        "another "
        "tokenizer; build it for this one with phi2 adapt",
        file.string(), vocabulary.base_hash, vocabulary.base_tokens, base_hash, base_->size());
  }
  const auto resolved = vocabulary.resolved_pieces();
  for (std::size_t i = 0; i < resolved.size(); ++i) {
    const TokenId token = vocabulary.removed[i].token;
    if (base_->decode({&token, 1}) != base_->decode(resolved[i])) {
      environment_error("{}: removed: the pieces of token {} are not its bytes; build the file again",
                        file.string(), token);
    }
    pieces_[static_cast<std::size_t>(token)] = resolved[i];
  }
  const std::vector<TokenId> kept = vocabulary.ids_of_base();
  for (TokenId token = 0; token < vocabulary.base_tokens; ++token) {
    const TokenId id = kept[static_cast<std::size_t>(token)];
    if (id >= 0) bytes_[static_cast<std::size_t>(id)] = base_->decode({&token, 1});
  }
  for (const auto& added : vocabulary.added)
    bytes_[static_cast<std::size_t>(added.id)] = base_->decode(added.parts);
  if (const auto end = base_->end_of_text(); end && kept[static_cast<std::size_t>(*end)] >= 0) {
    end_of_text_ = kept[static_cast<std::size_t>(*end)];
  }
}

std::vector<TokenId> PatchTokenizer::encode(std::string_view text) const {
  return patched(base_->encode(text));
}

std::vector<TokenId> PatchTokenizer::patched(std::vector<TokenId> base_ids) const {
  const auto is_removed = [this](TokenId id) { return !pieces_[static_cast<std::size_t>(id)].empty(); };
  if (std::any_of(base_ids.begin(), base_ids.end(), is_removed)) {
    std::vector<TokenId> pieces;
    pieces.reserve(base_ids.size());
    for (const TokenId id : base_ids) {
      const auto& own = pieces_[static_cast<std::size_t>(id)];
      own.empty() ? pieces.push_back(id)
                  : static_cast<void>(pieces.insert(pieces.end(), own.begin(), own.end()));
    }
    base_ids.swap(pieces);
  }
  std::vector<TokenId> ids;
  if (trie_) {
    ids.reserve(base_ids.size());
    adaptivocab::patch_encode(*trie_, mode_, base_ids, static_cast<int>(pieces_.size()), ids);
  } else {
    ids.swap(base_ids);
  }
  if (!id_.empty()) {
    for (TokenId& id : ids) id = id_[static_cast<std::size_t>(id)];
  }
  return ids;
}

std::string PatchTokenizer::decode(std::span<const TokenId> ids) const {
  std::string text;
  for (const TokenId id : ids) {
    if (id < 0 || id >= size())
      usage_error("token id {} is out of range: the tokenizer has 0 to {}", id, size() - 1);
    text += bytes_[static_cast<std::size_t>(id)];
  }
  return text;
}

std::unique_ptr<PatchTokenizer> load_patch_tokenizer(const std::filesystem::path& tokenizer_json,
                                                     const std::filesystem::path& patch_file,
                                                     PatchVocabulary* vocabulary) {
  PatchVocabulary read = read_patch_file(patch_file);
  TokenizerFile file = read_tokenizer_file(tokenizer_json);
  const std::string hash = tokenizer_hash(file);
  auto tokenizer =
      std::make_unique<PatchTokenizer>(BpeTokenizer::from(std::move(file)), hash, read, patch_file);
  if (vocabulary != nullptr) *vocabulary = std::move(read);
  return tokenizer;
}

}  // namespace trisect::phi2
