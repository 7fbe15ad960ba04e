// Tokens by their bytes, for the pieces of a text: most of them are a token each.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "integration/phi2/tokenizer/tokenizer.hpp"

namespace trisect::phi2 {

/// Pieces of up to 16 bytes are two words that lie in the table itself: no pointer is followed, nothing is
/// compared byte by byte. Longer ones, which are rare, are the business of whoever asks.
class PieceTable {
 public:
  static constexpr std::size_t kLongest = 16;
  static constexpr TokenId kNone = -1;

  /// For `count` pieces.
  explicit PieceTable(std::size_t count)
      : shift_(63 - static_cast<int>(std::bit_width(count + 1))), slots_(std::size_t{1} << (64 - shift_)) {}

  /// 1 to kLongest bytes, not in the table yet.
  void insert(std::string_view piece, TokenId token) { slots_[slot(key_of(piece))] = {key_of(piece), token}; }
  /// kNone for a piece that is not there.
  TokenId find(std::string_view piece) const { return slots_[slot(key_of(piece))].token; }

 private:
  struct Key {
    std::uint64_t low, high;
    std::uint32_t length;  ///< tells apart what zeros and overlaps would not
    bool operator==(const Key&) const = default;
  };
  struct Slot {
    Key key{};
    TokenId token = kNone;  ///< kNone: empty
  };

  template <class Word>
  static std::uint64_t word_at(const char* bytes) {
    Word word;
    std::memcpy(&word, bytes, sizeof word);
    return word;
  }
  /// The first and the last bytes, which overlap unless there are 8 or 16: with the length, no two pieces are
  /// alike.
  static Key key_of(std::string_view piece) {
    const char* begin = piece.data();
    const char* end = begin + piece.size();
    const auto length = static_cast<std::uint32_t>(piece.size());
    if (length >= 8) return {word_at<std::uint64_t>(begin), word_at<std::uint64_t>(end - 8), length};
    if (length >= 4) return {word_at<std::uint32_t>(begin), word_at<std::uint32_t>(end - 4), length};
    if (length >= 2) return {word_at<std::uint16_t>(begin), word_at<std::uint16_t>(end - 2), length};
    return {word_at<std::uint8_t>(begin), 0, length};
  }
  /// Where the key is, or the empty slot where it would be.
  std::size_t slot(const Key& key) const {
    constexpr std::uint64_t kFirst = 0x9e3779b97f4a7c15u, kSecond = 0xd1342543de82ef95u;
    const std::uint64_t mixed = (key.low ^ std::rotl(key.high * kSecond, 29) ^ key.length) * kFirst;
    std::size_t i = (mixed ^ mixed >> 32) * kSecond >> shift_;
    while (slots_[i].token != kNone && slots_[i].key != key) i = (i + 1) & (slots_.size() - 1);
    return i;
  }

  int shift_;
  std::vector<Slot> slots_;  ///< a power of two, at most half of them full
};

}  // namespace trisect::phi2
