// dense/sample: the next token of each row, chosen where its logits are.
#pragma once

#include "kernels/core/op.hpp"

namespace trisect::dense {

/// id[r] = draw(logits[r], temperature, top_p, bits[1][r] << 32 | bits[0][r]) (sampling.hpp), the same on
/// every device; temperature 0 is argmax. logits f32 [rows][n], rows any stride apart; bits i32 [2][rows]; id
/// i32 [1][rows]. Where no logit of a row is a number, the CPU throws and a GPU writes -1.
struct Sample {
  static constexpr std::string_view name = "dense/sample";
  struct Problem {
    int rows, n, temperature_permille, top_p_permille;
  };
  static constexpr Field<Problem> fields[] = {{"rows", &Problem::rows},
                                              {"n", &Problem::n},
                                              {"temperature_permille", &Problem::temperature_permille},
                                              {"top_p_permille", &Problem::top_p_permille}};
  struct Args {
    View logits, bits, id;
    float temperature = 0, top_p = 1;  ///< what counts; the problem's are for benchmarks
  };
  using Variant = VariantOf<Problem, Args>;

  static Args make(const Problem& problem, Arena& arena);
  static Cost cost(const Problem& problem);
  static Check check(const Problem& problem, const Args& got, const Args& want);  ///< equal ids
  static std::vector<Problem> odd_problems();
  static std::span<const Variant> variants();  ///< ref; cuda_block
};

std::span<const Sample::Variant> sample_cuda_variants();

}  // namespace trisect::dense
