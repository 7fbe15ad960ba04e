// Sparse to dense: y = 0, y[index[i]] = value[i]. The naive way of running LaRoSA needs it to rotate back.
#pragma once

#include "kernels/core/op.hpp"

namespace trisect::larosa {

struct Scatter {
  static constexpr std::string_view name = "larosa/scatter";

  struct Problem {
    int rows = 1, n = 0, sparsity_permille = 0;
  };
  static constexpr Field<Problem> fields[] = {
      {"rows", &Problem::rows}, {"n", &Problem::n}, {"sparsity_permille", &Problem::sparsity_permille}};

  struct Args {
    View index;  ///< i32 [rows][k], ascending, within [0, n)
    View value;  ///< f32 [rows][k]
    View y;      ///< f32 [rows][n], overwritten
  };
  using Variant = VariantOf<Problem, Args>;

  static Cost cost(const Problem& problem);
  static Args make(const Problem& problem, Arena& arena);
  static Check check(const Problem& problem, const Args& got, const Args& want);
  static std::vector<Problem> odd_problems();
  static std::span<const Variant> variants();  ///< ref, cpu; thrust_scatter, cuda_scatter
};

}  // namespace trisect::larosa
