// What the ops that look for n-grams of tokens share: which tokens may be in one, and where they occur.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/core/view.hpp"

namespace trisect::adaptivocab {

/// What a token may not do in an n-gram: bits, one i32 for each token of the vocabulary.
enum NgramFlag : std::int32_t {
  kBarrier = 1,     ///< in no n-gram: special tokens, blanks
  kStartsWord = 2,  ///< in none but as its first, so that words are not crossed
  kDigits = 4,      ///< not in an n-gram of nothing else
};

/// The n-grams of one length that occur often enough, in lexicographic order of their ids. That of index g is
/// the `length` tokens at any of the places position[begin[g]] ... position[begin[g + 1] - 1], which ascend
/// and may overlap.
struct NgramLevel {
  int length = 0;
  std::vector<std::uint32_t> begin{0};
  std::vector<std::uint32_t> position;

  int size() const { return static_cast<int>(begin.size()) - 1; }
  std::span<const std::uint32_t> places(int g) const {
    const std::size_t i = static_cast<std::size_t>(g);
    return std::span(position).subspan(begin[i], begin[i + 1] - begin[i]);
  }
};

/// All n-grams of 2 to `n` of the tokens (i32 [1][count]) that the flags (i32 [1][vocab]) allow, kDigits
/// aside, and that occur at least `min_count` times: one level a length. Sorts the places by the n-gram,
/// length by length, and looks at a longer one only where both shorter ones in it occur often enough. O(count
/// * n) time; memory is below 48 bytes a token, and as much again for the result. The same for any number of
/// threads. Throws Error(kUsage) that names the first id outside [0, vocab).
std::vector<NgramLevel> index_ngrams(const View& token, const View& flag, int n, int min_count);

/// Whether all tokens of an n-gram are digits.
bool only_digits(std::span<const std::int32_t> gram, const View& flag);

/// For tests and benchmarks: ids that repeat themselves about as much as text does, and flags of all kinds;
/// in vocabularies of fewer than 9 none.
std::vector<std::int32_t> text_like_tokens(int count, int vocab, std::uint64_t seed);
std::vector<std::int32_t> strewn_flags(int vocab, std::uint64_t seed);
/// i32 [entries][n]: 2 to n ids each, cut from the tokens (which go round), then -1; repeated ones among
/// them.
std::vector<std::int32_t> patterns_from(std::span<const std::int32_t> tokens, int entries, int n);

}  // namespace trisect::adaptivocab
