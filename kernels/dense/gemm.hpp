// dense/gemm: the product of many token rows with a weight matrix, as in prefill.
#pragma once

#include "kernels/core/op.hpp"

namespace trisect::dense {

/// y[m][out] = x[m][in] * w[in][out] + bias[1][out], or y += the same when `accumulate`.
/// x, bias and y are f32; w is f32, bf16 or f16 (`dtype`), input-major; an empty bias means none. Rows of x,
/// w and y may be any stride apart. With bf16 weights the fast variants round x to bf16, the product of a
/// pair is exact in f32, and sums are f32. y must not overlap an operand.
struct Gemm {
  static constexpr std::string_view name = "dense/gemm";
  struct Problem {
    int m, in, out;
    Dtype dtype;
  };
  static constexpr Field<Problem> fields[] = {
      {"m", &Problem::m}, {"in", &Problem::in}, {"out", &Problem::out}};
  struct Args {
    View x, w, bias, y;
    bool accumulate = false;
    std::shared_ptr<void> prepared;  ///< packed weights, for the variant that wants them
  };
  static Args make(const Problem& problem, Arena& arena);
  static Cost cost(const Problem& problem);  ///< with bias, without accumulation
  static Check check(const Problem& problem, const Args& got, const Args& want);
  static std::vector<Problem> odd_problems();
  /// ref; onednn_packed, weights in oneDNN's own layout; onednn_panels, in panels.hpp's, and onednn, in rows
  /// (what the engine runs); for at most eight rows cpu_panels, cpu_fma and cpu_bf16, the kernels of
  /// dense/gemv, which read each row of weights once for all (what the engine runs then).
  static std::span<const VariantOf<Problem, Args>> variants();
};

/// The variant for weights that are in panels already.
const VariantOf<Gemm::Problem, Gemm::Args>& best_in_panels(const Gemm::Problem& problem);

void gemm_ref(const Gemm::Problem& problem, const Gemm::Args& args);
void gemm_onednn_packed(const Gemm::Problem& problem, const Gemm::Args& args);
void gemm_onednn(const Gemm::Problem& problem, const Gemm::Args& args);

}  // namespace trisect::dense
