// Which n-grams become tokens: greedily the one that saves the most, given those chosen before.
#pragma once

#include "kernels/adaptivocab/ngrams.hpp"
#include "kernels/core/op.hpp"

namespace trisect::adaptivocab {

/// Candidates are the n-grams that ngram_count finds with min_count, each with its places in the text from
/// left to right, without those that overlap the one kept before. The text starts as single tokens. In each
/// round the candidate of the highest score is chosen, of equal ones the longer, then the lexicographically
/// first; at each of its live places its tokens become one piece. A place is live when the candidate begins
/// and ends where pieces do and has at least two of them; a candidate with fewer than min_count live places
/// is out for good.
///   score: the tokens saved, the sum over live places of their pieces less one.
///   is_released: count x n, as AdaptiVocab's released code ranks, where live places are those of which no
///   token is part of a piece yet (that code subtracts pairwise co-occurrences, which can subtract a place
///   twice).
/// Scores only fall, so the best of a heap of outdated scores, brought up to date, is the best of all when it
/// stays on top: no rescan.
struct NgramSelect {
  static constexpr std::string_view name = "adaptivocab/ngram_select";
  struct Problem {
    int tokens, vocab, n, min_count, add, is_released;
  };
  static constexpr Field<Problem> fields[] = {
      {"tokens", &Problem::tokens},       {"vocab", &Problem::vocab}, {"n", &Problem::n},
      {"min_count", &Problem::min_count}, {"add", &Problem::add},     {"is_released", &Problem::is_released}};
  struct Args {
    View token;  ///< i32 [1][tokens]
    View flag;   ///< i32 [1][vocab], bits of NgramFlag
    View gram;   ///< i32 [add][n], in the order chosen, shorter ones end in -1
    View count;  ///< i32 [1][add]: live places when chosen
    View found;  ///< i32 [1][1]: rows of gram that hold an n-gram
  };
  using Variant = VariantOf<Problem, Args>;

  static Args make(const Problem& problem, Arena& arena);
  static Cost cost(const Problem& problem);
  /// Counting, and what the chosen ones change.
  static double nominal_seconds(const Problem& problem) { return 2e-7 * problem.tokens; }
  static Check check(const Problem& problem, const Args& got, const Args& want);
  static std::vector<Problem> odd_problems();
  static std::span<const Variant> variants();  ///< ref (all scores anew in each round), cpu_heap
};

void ngram_select_ref(const NgramSelect::Problem& problem, const NgramSelect::Args& args);
void ngram_select_heap(const NgramSelect::Problem& problem, const NgramSelect::Args& args);

}  // namespace trisect::adaptivocab
