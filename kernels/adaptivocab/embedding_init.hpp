// Rows of embeddings and heads for new tokens, from those of the tokens that they are made of.
// AdaptiVocab, arXiv 2503.19693, section 3.3; weights as in the released code
// (change_embeddings_in_model.py).
#pragma once

#include <span>
#include <vector>

#include "kernels/core/op.hpp"

namespace trisect::adaptivocab {

/// y[e] = the sum over k of weight[length of e][k] * table[part[e][k]], in f32, rounded once to the table's
/// type. An embedding lies row by row: table [vocab][hidden], y [entries][hidden]. A head lies input by input
/// (is_head): table [hidden][vocab], y [hidden][entries]; its bias is a head of one row. table and y may be
/// parts of one matrix that do not overlap. Throws Error(kUsage) that names the first part outside [0,
/// vocab); nothing is written then.
struct EmbeddingInit {
  static constexpr std::string_view name = "adaptivocab/embedding_init";
  struct Problem {
    int entries, n, vocab, hidden, is_head;
    Dtype dtype;  ///< f32, bf16 or f16
  };
  static constexpr Field<Problem> fields[] = {{"entries", &Problem::entries},
                                              {"n", &Problem::n},
                                              {"vocab", &Problem::vocab},
                                              {"hidden", &Problem::hidden},
                                              {"is_head", &Problem::is_head}};
  struct Args {
    View table;
    View part;    ///< i32 [entries][n], at least one id, shorter ones end in -1
    View weight;  ///< f32 [n + 1][n]: row l has those of l parts
    View y;
  };
  using Variant = VariantOf<Problem, Args>;

  static Args make(const Problem& problem, Arena& arena);
  static Cost cost(const Problem& problem);
  static Check check(const Problem& problem, const Args& got, const Args& want);
  static std::vector<Problem> odd_problems();
  static std::span<const Variant> variants();  ///< ref, cpu; cuda_rows
};

/// Throws what EmbeddingInit throws of an entry.
void check_parts_of(std::int64_t entry, std::span<const std::int32_t> parts, int vocab);

/// Where the weight lies: as published, on the last part for inputs, since what follows attends to it, and on
/// the first for outputs, since it is what must be predicted first.
enum class Heaviest { kLast, kFirst };

/// [n + 1][n]: of l parts, each weighs `base` times its lighter neighbour, and all of them one together: for
/// base 2 and inputs 1/3, 2/3 and 1/7, 2/7, 4/7. Base 1 is the mean. No norm is restored, as published.
Buffer part_weights(int n, double base, Heaviest heaviest);

}  // namespace trisect::adaptivocab
