// dense/embedding: the rows of a table that token ids name.
#pragma once

#include "kernels/core/op.hpp"

namespace trisect::dense {

/// y[r][:] = table[token[r]][:]. token: i32 [1][rows]. table: [vocab][n], f32, bf16 or f16 (`dtype`); y: f32
/// [rows][n]; rows of both any stride apart. Throws Error(kUsage) that names the first id outside [0, vocab);
/// y is then unchanged.
struct Embedding {
  static constexpr std::string_view name = "dense/embedding";
  struct Problem {
    int rows, vocab, n;
    Dtype dtype;
  };
  static constexpr Field<Problem> fields[] = {
      {"rows", &Problem::rows}, {"vocab", &Problem::vocab}, {"n", &Problem::n}};
  struct Args {
    View table, token, y;
  };
  static Args make(const Problem& problem, Arena& arena);
  static Cost cost(const Problem& problem);
  static Check check(const Problem& problem, const Args& got, const Args& want);
  static std::vector<Problem> odd_problems();
  static std::span<const VariantOf<Problem, Args>> variants();
};

void embedding_ref(const Embedding::Problem& problem, const Embedding::Args& args);
void embedding_cpu(const Embedding::Problem& problem, const Embedding::Args& args);

}  // namespace trisect::dense
