// Finds which of many patterns of token ids begin at a place.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/core/view.hpp"

namespace trisect::adaptivocab {

/// The first node is an array over the vocabulary, where most tokens of most texts end; all others are one
/// hash table of (node, token). Immutable once made.
class PatchTrie {
 public:
  static constexpr std::int32_t kNone = -1;

  /// patterns: i32 [count][n], each at least two ids, shorter ones end in -1; ids within [0, vocab). Of equal
  /// patterns the first counts. Throws Error(kUsage) that names the first row that is not so.
  PatchTrie(const View& patterns, int vocab);

  /// Tokens of a pattern.
  int length(std::int32_t pattern) const { return length_[static_cast<std::size_t>(pattern)]; }

  /// Calls found(pattern, length) for every pattern that begins `tokens`, the shortest first.
  template <class Found>
  void match(std::span<const std::int32_t> tokens, const Found& found) const {
    std::int32_t node = first_[static_cast<std::size_t>(tokens[0])];
    const std::size_t end = std::min(tokens.size(), static_cast<std::size_t>(longest_));
    for (std::size_t i = 1; node != kNone && i < end; ++i) {
      node = child(node, tokens[i]);
      if (node == kNone) return;
      if (const std::int32_t pattern = pattern_[static_cast<std::size_t>(node)]; pattern != kNone) {
        found(pattern, static_cast<int>(i) + 1);
      }
    }
  }

 private:
  struct Slot {
    std::uint64_t key = 0;
    std::int32_t node = kNone;  ///< kNone: empty
  };
  static std::uint64_t key(std::int32_t node, std::int32_t token) {
    return static_cast<std::uint64_t>(node) << 32 | static_cast<std::uint32_t>(token);
  }
  /// Where the key is, or the empty slot where it would be.
  std::size_t slot(std::uint64_t key) const {
    std::size_t i = key * 0x9e3779b97f4a7c15u >> shift_;
    while (slots_[i].node != kNone && slots_[i].key != key) i = (i + 1) & (slots_.size() - 1);
    return i;
  }
  std::int32_t child(std::int32_t node, std::int32_t token) const {
    return slots_[slot(key(node, token))].node;
  }
  std::int32_t new_node();

  int longest_ = 0, shift_;
  std::vector<std::int32_t> first_;    ///< node after one token, by token
  std::vector<std::int32_t> pattern_;  ///< that ends at a node, by node
  std::vector<std::int32_t> length_;   ///< by pattern
  std::vector<Slot> slots_;            ///< a power of two, at most half of them full
};

}  // namespace trisect::adaptivocab
