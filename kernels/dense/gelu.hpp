// dense/gelu: Hendrycks, Gimpel, "Gaussian Error Linear Units", arXiv:1606.08415, the tanh form ("gelu_new").
#pragma once

#include "kernels/core/op.hpp"

namespace trisect::dense {

/// y = x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3))), element by element, f32 [rows][n], rows any stride
/// apart. y may be x itself, else no overlap. Computed as x / (1 + exp(-2u)), which keeps its relative accuracy
/// on the negative side, where 1 + tanh(u) cancels: 1e-6, or 1e-5 below x = -4, down to results of 1e-37;
/// smaller ones may be zero.
struct Gelu {
  static constexpr std::string_view name = "dense/gelu";
  struct Problem {
    int rows, n;
  };
  static constexpr Field<Problem> fields[] = {{"rows", &Problem::rows}, {"n", &Problem::n}};
  struct Args {
    View x, y;
  };
  static Args make(const Problem& problem, Arena& arena);
  static Cost cost(const Problem& problem);
  static Check check(const Problem& problem, const Args& got, const Args& want);
  static std::vector<Problem> odd_problems();
  static std::span<const VariantOf<Problem, Args>> variants();
};

void gelu_ref(const Gelu::Problem& problem, const Gelu::Args& args);
void gelu_cpu(const Gelu::Problem& problem, const Gelu::Args& args);

}  // namespace trisect::dense
