// Replaces n-grams of token ids by one id each: what a patch tokenizer does after its base tokenizer.
#pragma once

#include "kernels/adaptivocab/patch_trie.hpp"
#include "kernels/core/op.hpp"

namespace trisect::adaptivocab {

/// Which of the ways to cover a text with n-grams:
///   optimal   the fewest ids; of those, the one whose first n-gram is the longest, then its second, ...
///   longest   from left to right, the longest n-gram at each place
///   released  from left to right, the first in the order of the patterns, as AdaptiVocab's released encoder:
///             it tries them in the order in which they were selected, and not the longest
enum class PatchMode { kOptimal, kLongest, kReleased };
std::string_view name_of(PatchMode mode);
PatchMode patch_mode_from_name(std::string_view name);  ///< throws Error(kUsage)

/// out: the tokens with some n-grams, never overlapping, replaced by vocab + the pattern's row; never more
/// ids than tokens. O(tokens * n) time and, for `optimal`, 8 bytes a token beside the result. Patterns as in
/// PatchTrie. Throws Error(kUsage) that names the first id outside [0, vocab). The fast variants want
/// args.prepared.
///
/// None is for a GPU, though one could be exact: the costs of `optimal` are a scan of (min, +) matrices of n
/// by n, and where ids begin a scan of maps over n states. But the tokens come from the base tokenizer, on
/// the CPU, which takes three times as long or more (docs/performance.md), and the ids go to its embedding
/// a few hundred at a time: a batch would travel there and back to save a fifth of the encoding.
struct PatchEncode {
  static constexpr std::string_view name = "adaptivocab/patch_encode";
  struct Problem {
    int tokens, vocab, entries, n;
  };
  static constexpr Field<Problem> fields[] = {{"tokens", &Problem::tokens},
                                              {"vocab", &Problem::vocab},
                                              {"entries", &Problem::entries},
                                              {"n", &Problem::n}};
  struct Args {
    View token;                      ///< i32 [1][tokens]
    View pattern;                    ///< i32 [entries][n]
    View out;                        ///< i32 [1][tokens]
    View found;                      ///< i32 [1][1]: ids in out
    std::shared_ptr<void> prepared;  ///< PatchTrie
  };
  using Variant = VariantOf<Problem, Args>;

  static Args make(const Problem& problem, Arena& arena);
  static Cost cost(const Problem& problem);
  /// A step or two through the trie for each token.
  static double nominal_seconds(const Problem& problem) { return 2e-8 * problem.tokens; }
  static Check check(const Problem& problem, const Args& got, const Args& want);
  static std::vector<Problem> odd_problems();
  /// ref, ref_longest and ref_released compare every pattern at every place; longest, released and optimal
  /// walk the trie.
  static std::span<const Variant> variants();
};

/// Appends to `out` what a mode makes of the tokens, all within the trie's vocabulary of `vocab`.
void patch_encode(const PatchTrie& trie, PatchMode mode, std::span<const std::int32_t> tokens, int vocab,
                  std::vector<std::int32_t>& out);

/// For make(): patterns_from() as [entries][n].
View pattern_input(Arena& arena, std::span<const std::int32_t> tokens, int entries, int n);

void patch_encode_ref(const PatchEncode::Problem& problem, const PatchEncode::Args& args);
void patch_encode_longest_ref(const PatchEncode::Problem& problem, const PatchEncode::Args& args);
void patch_encode_released_ref(const PatchEncode::Problem& problem, const PatchEncode::Args& args);

}  // namespace trisect::adaptivocab
