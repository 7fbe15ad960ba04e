#include "integration/phi2/tokenizer/token_trie.hpp"

namespace trisect::phi2 {

void TokenTrie::insert(std::string_view content, TokenId id) {
  begins_[static_cast<unsigned char>(content[0])] = true;
  std::size_t node = 0;
  for (const char c : content) {
    const std::size_t at = nodes_[node].bytes.find(c);
    if (at != std::string::npos) {
      node = static_cast<std::size_t>(nodes_[node].child[at]);
      continue;
    }
    nodes_[node].bytes.push_back(c);
    nodes_[node].child.push_back(static_cast<int>(nodes_.size()));
    node = nodes_.size();
    nodes_.emplace_back();
  }
  nodes_[node].id = id;
}

std::optional<TokenTrie::Match> TokenTrie::find(std::string_view text) const {
  for (std::size_t begin = 0; begin < text.size(); ++begin) {
    if (!begins_[static_cast<unsigned char>(text[begin])]) continue;
    Match longest{begin, 0, -1};
    std::size_t node = 0;
    for (std::size_t end = begin; end < text.size(); ++end) {
      const std::size_t at = nodes_[node].bytes.find(text[end]);
      if (at == std::string::npos) break;
      node = static_cast<std::size_t>(nodes_[node].child[at]);
      if (nodes_[node].id >= 0) longest = {begin, end + 1 - begin, nodes_[node].id};
    }
    if (longest.length > 0) return longest;
  }
  return {};
}

}  // namespace trisect::phi2
