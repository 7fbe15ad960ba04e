// Finds the added tokens in a text.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "integration/phi2/tokenizer/tokenizer.hpp"

namespace trisect::phi2 {

class TokenTrie {
 public:
  struct Match {
    std::size_t begin, length;
    TokenId id;
  };

  /// `content` is not empty and not in the trie yet.
  void insert(std::string_view content, TokenId id);

  /// The leftmost occurrence of a token, of those that begin there the longest.
  std::optional<Match> find(std::string_view text) const;

 private:
  struct Node {
    TokenId id = -1;         ///< of the token that ends here, or -1
    std::string bytes;       ///< one for each child
    std::vector<int> child;  ///< in nodes_
  };
  std::array<bool, 256> begins_{};  ///< whether a token begins with the byte: most bytes of a text end here
  std::vector<Node> nodes_ = std::vector<Node>(1);
};

}  // namespace trisect::phi2
