#include "integration/runner/vocabulary_figures.hpp"

#include <algorithm>
#include <unordered_map>

namespace trisect::runner {
namespace {

bool is_space(char byte) { return byte == ' ' || (byte >= '\t' && byte <= '\r'); }

}  // namespace

std::vector<std::int64_t> tokens_per_word(const phi2::Tokenizer& tokenizer,
                                          std::span<const phi2::TokenId> ids) {
  std::vector<std::int64_t> words;
  std::size_t tokens = 0;  // of the word at hand
  bool in_word = false;
  const auto end_word = [&] {
    if (!in_word) return;
    if (words.size() <= tokens) words.resize(tokens + 1);
    ++words[tokens];
    tokens = 0;
    in_word = false;
  };
  for (const phi2::TokenId& id : ids) {
    bool counted = false;
    for (const char byte : tokenizer.decode({&id, 1})) {
      if (is_space(byte)) {
        end_word();
        continue;
      }
      in_word = true;
      tokens += counted ? 0 : 1;
      counted = true;
    }
  }
  end_word();
  return words;
}

std::vector<UsedToken> top_tokens(const phi2::PatchVocabulary& patch, std::span<const phi2::TokenId> ids,
                                  std::size_t most) {
  std::unordered_map<phi2::TokenId, std::size_t> added;
  for (std::size_t i = 0; i < patch.added.size(); ++i) added.emplace(patch.added[i].id, i);
  std::vector<UsedToken> used(patch.added.size());
  for (std::size_t i = 0; i < used.size(); ++i) used[i] = {i, 0};
  for (const phi2::TokenId id : ids) {
    if (const auto found = added.find(id); found != added.end()) ++used[found->second].count;
  }
  const auto saved = [&](const UsedToken& token) {
    return token.count * static_cast<std::int64_t>(patch.added[token.added].parts.size() - 1);
  };
  std::stable_sort(used.begin(), used.end(),
                   [&](const UsedToken& a, const UsedToken& b) { return saved(a) > saved(b); });
  used.resize(std::min(used.size(), most));
  std::erase_if(used, [](const UsedToken& token) { return token.count == 0; });
  return used;
}

std::string_view first_characters(std::string_view text, std::int64_t most) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((text[i] & 0xc0) != 0x80 && most-- == 0) return text.substr(0, i);
  }
  return text;
}

}  // namespace trisect::runner
