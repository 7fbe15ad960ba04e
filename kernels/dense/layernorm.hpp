// dense/layernorm: Ba, Kiros, Hinton, "Layer Normalization", arXiv:1607.06450.
#pragma once

#include "kernels/core/op.hpp"

namespace trisect::dense {

/// y[r][i] = (x[r][i] - mean_r) / sqrt(var_r + eps) * gain[i] + bias[i], with the mean and the (biased)
/// variance of row r. All f32; x and y [rows][n], rows any stride apart; gain and bias [1][n]. y may be x
/// itself, else no overlap.
struct Layernorm {
  static constexpr std::string_view name = "dense/layernorm";
  struct Problem {
    int rows, n;
  };
  static constexpr Field<Problem> fields[] = {{"rows", &Problem::rows}, {"n", &Problem::n}};
  struct Args {
    View x, gain, bias, y;
    float eps = 1e-5f;
  };
  static Args make(const Problem& problem, Arena& arena);
  static Cost cost(const Problem& problem);
  static Check check(const Problem& problem, const Args& got, const Args& want);
  static std::vector<Problem> odd_problems();
  static std::span<const VariantOf<Problem, Args>> variants();
};

void layernorm_ref(const Layernorm::Problem& problem, const Layernorm::Args& args);
void layernorm_cpu(const Layernorm::Problem& problem, const Layernorm::Args& args);

}  // namespace trisect::dense
