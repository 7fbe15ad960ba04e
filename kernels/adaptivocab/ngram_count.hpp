// How often n-grams of tokens occur: the first step of AdaptiVocab (arXiv 2503.19693, section 3).
#pragma once

#include "kernels/adaptivocab/ngrams.hpp"
#include "kernels/core/op.hpp"

namespace trisect::adaptivocab {

/// Every n-gram of 2 to n tokens that occurs at least min_count times, places that overlap counted each, and
/// that the flags allow (NgramFlag): first the shorter ones, those of a length in lexicographic order of
/// their ids. At most 2^31 - 1 tokens. Throws Error(kUsage) that names the first id outside [0, vocab).
struct NgramCount {
  static constexpr std::string_view name = "adaptivocab/ngram_count";
  struct Problem {
    int tokens, vocab, n, min_count;
  };
  static constexpr Field<Problem> fields[] = {{"tokens", &Problem::tokens},
                                              {"vocab", &Problem::vocab},
                                              {"n", &Problem::n},
                                              {"min_count", &Problem::min_count}};
  struct Args {
    View token;  ///< i32 [1][tokens]
    View flag;   ///< i32 [1][vocab], bits of NgramFlag
    View gram;   ///< i32 [capacity][n], shorter ones end in -1
    View count;  ///< i32 [1][capacity]
    View found;  ///< i32 [1][1]: rows of gram that hold an n-gram
  };
  using Variant = VariantOf<Problem, Args>;

  /// More n-grams than this cannot occur so often.
  static std::int64_t capacity(const Problem& problem);

  static Args make(const Problem& problem, Arena& arena);
  static Cost cost(const Problem& problem);
  /// Sorting a place of each length.
  static double nominal_seconds(const Problem& problem) { return 3e-8 * problem.tokens * (problem.n - 1); }
  static Check check(const Problem& problem, const Args& got, const Args& want);
  static std::vector<Problem> odd_problems();
  static std::span<const Variant>
  variants();  ///< ref (an ordered map), cpu_sort (index_ngrams()); cuda_hash, cuda_sort
};

/// The rows that an op has filled: both equal, or why not.
Check check_rows(const View& got, const View& want, const View& got_found, const View& want_found);

void ngram_count_ref(const NgramCount::Problem& problem, const NgramCount::Args& args);
void ngram_count_sort(const NgramCount::Problem& problem, const NgramCount::Args& args);

}  // namespace trisect::adaptivocab
