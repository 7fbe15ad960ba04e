// Patched ids back to those of the base tokenizer.
#pragma once

#include "kernels/core/op.hpp"

namespace trisect::adaptivocab {

/// Ids below vocab stay; vocab + r becomes the tokens of row r of the patterns (PatchTrie's). Throws
/// Error(kUsage) that names the first id outside [0, vocab + entries); out is then unchanged.
struct PatchDecode {
  static constexpr std::string_view name = "adaptivocab/patch_decode";
  struct Problem {
    int tokens, vocab, entries, n;
  };
  static constexpr Field<Problem> fields[] = {{"tokens", &Problem::tokens},
                                              {"vocab", &Problem::vocab},
                                              {"entries", &Problem::entries},
                                              {"n", &Problem::n}};
  struct Args {
    View token;    ///< i32 [1][tokens]
    View pattern;  ///< i32 [entries][n]
    View out;      ///< i32 [1][tokens * n]
    View found;    ///< i32 [1][1]: ids in out
  };
  using Variant = VariantOf<Problem, Args>;

  static Args make(const Problem& problem, Arena& arena);
  static Cost cost(const Problem& problem);
  static double nominal_seconds(const Problem& problem) { return 5e-9 * problem.tokens; }
  static Check check(const Problem& problem, const Args& got, const Args& want);
  static std::vector<Problem> odd_problems();
  static std::span<const Variant> variants();  ///< ref, cpu (each thread its own stretch)
};

}  // namespace trisect::adaptivocab
