// dense/copy: what every other number is held against. A large copy shows the bandwidth of a device, that of
// one value what a call costs: on a GPU, a launch.
#pragma once

#include "kernels/core/op.hpp"

namespace trisect::dense {

/// y = x, bit for bit, f32 [1][n]; no overlap.
struct Copy {
  static constexpr std::string_view name = "dense/copy";
  struct Problem {
    int n;
  };
  static constexpr Field<Problem> fields[] = {{"n", &Problem::n}};
  struct Args {
    View x, y;  ///< x counts as weights: large ones are cold
  };
  using Variant = VariantOf<Problem, Args>;
  static Args make(const Problem& problem, Arena& arena);
  static Cost cost(const Problem& problem);
  static Check check(const Problem& problem, const Args& got, const Args& want);
  static std::vector<Problem> odd_problems();
  /// cpu_team: a part for each thread. On the GPU: cuda_memcpy, the driver's; cuda_copy, a kernel.
  static std::span<const Variant> variants();
};

std::span<const Copy::Variant> copy_cuda_variants();

}  // namespace trisect::dense
