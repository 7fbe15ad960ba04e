// Byte pair encoding of one piece of text (Sennrich et al., 2016; over bytes:
// Radford et al., 2019).
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "integration/phi2/tokenizer/piece_table.hpp"
#include "integration/phi2/tokenizer/tokenizer.hpp"

namespace trisect::phi2 {

/// Tokens by their bytes, to be looked up without a copy.
struct BytesHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view bytes) const {
    return std::hash<std::string_view>{}(bytes);
  }
};
using TokensByBytes =
    std::unordered_map<std::string, TokenId, BytesHash, std::equal_to<>>;

struct Merge {
  TokenId left, right; ///< neighbours that become
  TokenId merged;      ///< one token
};

/// The ranks of the merges by pair: one probe of one array, where most of
/// encoding's time goes.
class MergeRanks {
public:
  static constexpr std::uint32_t kNone = 0xffffffff;

  /// The index in `merges` is the rank; of equal pairs the last one counts.
  explicit MergeRanks(std::span<const Merge> merges);
  std::uint32_t find(TokenId left, TokenId right) const {
    return slots_[slot(key(left, right))].rank;
  }

private:
  struct Slot {
    std::uint64_t key;
    std::uint32_t rank = kNone; ///< kNone: empty
  };
  static std::uint64_t key(TokenId left, TokenId right) {
    return static_cast<std::uint64_t>(left) << 32 |
           static_cast<std::uint32_t>(right);
  }
  /// Where the key is, or the empty slot where it would be.
  std::size_t slot(std::uint64_t key) const;

  int shift_;
  std::vector<Slot> slots_; ///< a power of two, at most half of them full
};

class Bpe {
public:
  /// Buffers kept from piece to piece; one for each thread.
  struct Scratch {
    struct Symbol {
      TokenId id;
      std::uint32_t previous, next;
      std::uint32_t rank; ///< of the merge with the next symbol
    };
    std::vector<Symbol> symbols;
    std::vector<std::uint64_t> heap;
  };

  /// `tokens` has all 256 single bytes; `merges` are in the order of their
  /// rank. `ignore_merges`: a piece that is a token is taken whole, even if the
  /// merges would not lead to it.
  Bpe(TokensByBytes tokens, std::span<const Merge> merges, bool ignore_merges);

  /// Appends the tokens of `piece` to `out`: from single bytes on, the pair of
  /// lowest rank is merged, of equal ones the leftmost, until no pair has a
  /// rank. O(n log n) in the bytes of the piece, which are at most 2^31.
  void encode(std::string_view piece, Scratch &scratch,
              std::vector<TokenId> &out) const;

private:
  /// The token that the piece is as a whole, or PieceTable::kNone.
  TokenId find(std::string_view piece) const;
  /// For pieces of at most kShort bytes, most of those that are no token:
  /// looking through all pairs is faster than a heap of them.
  void merge_short(std::string_view piece, std::vector<TokenId> &out) const;
  void merge(std::string_view piece, Scratch &scratch,
             std::vector<TokenId> &out) const;

  static constexpr std::size_t kShort = 24;

  std::array<TokenId, 256> byte_token_;
  MergeRanks ranks_;
  std::vector<TokenId> merged_; ///< by rank
  /// The pieces that end as one token, found once for all: most words of most
  /// text. The long ones apart.
  PieceTable short_;
  TokensByBytes long_;
};

} // namespace trisect::phi2
