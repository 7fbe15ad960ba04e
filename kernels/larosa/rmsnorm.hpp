// larosa/rmsnorm: what LayerNorm becomes once its mean, gain and bias are merged into the weights around it
// (SliceGPT, arXiv:2401.15024, section 3.2). It commutes with rotations, which LayerNorm does not.
#pragma once

#include "kernels/core/op.hpp"

namespace trisect::larosa {

/// y[r][i] = x[r][i] / sqrt(mean over j of x[r][j]^2 + eps). All f32; x and y [rows][n], rows any stride
/// apart. y may be x itself, else no overlap.
struct Rmsnorm {
  static constexpr std::string_view name = "larosa/rmsnorm";

  struct Problem {
    int rows = 1, n = 0;
  };
  static constexpr Field<Problem> fields[] = {{"rows", &Problem::rows}, {"n", &Problem::n}};

  struct Args {
    View x, y;
    float eps = 1e-5f;
  };
  using Variant = VariantOf<Problem, Args>;

  static Cost cost(const Problem& problem);
  static Args make(const Problem& problem, Arena& arena);
  static Check check(const Problem& problem, const Args& got, const Args& want);
  static std::vector<Problem> odd_problems();
  static std::span<const Variant> variants();  ///< ref, cpu; on the GPU cuda_block
};

}  // namespace trisect::larosa
