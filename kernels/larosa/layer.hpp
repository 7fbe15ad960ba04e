// A linear layer run three ways, from the activation to the product, each stage timed where it stands:
//   dense   y = x W
//   naive   y = S_k(x Q) Q^T W    rotate, select, scatter to a dense vector, rotate back, dense product
//   online  y = S_k(x Q) (Q^T W)  rotate, select, product with the kept rows of the rotated weights only
// naive is what a first implementation does; it adds two rotations and saves nothing. online folds Q into W
// once. A layer that is not rotated selects from x itself, so Q is the identity and its stages fall away; in
// a phi block that is the output side: dense and fc2 read what attention and gelu wrote.
#pragma once

#include <utility>

#include "kernels/core/op.hpp"

namespace trisect::larosa {

/// Nanoseconds spent in each stage, added up over calls.
struct StageTimes {
  double rotate = 0, topk = 0, scatter = 0, unrotate = 0, product = 0;
  static constexpr std::pair<const char*, double StageTimes::*> kFields[] = {
      {"rotate", &StageTimes::rotate},
      {"topk", &StageTimes::topk},
      {"scatter", &StageTimes::scatter},
      {"unrotate", &StageTimes::unrotate},
      {"product", &StageTimes::product}};
};

struct Layer {
  static constexpr std::string_view name = "larosa/layer";

  struct Problem {
    int in = 0, out = 0;
    int is_rotated = 1;  ///< 0 or 1
    int sparsity_permille = 0;
    Dtype dtype = Dtype::kBf16;  ///< of Q and W: f32, bf16 or f16
  };
  static constexpr Field<Problem> fields[] = {{"in", &Problem::in},
                                              {"out", &Problem::out},
                                              {"is_rotated", &Problem::is_rotated},
                                              {"sparsity_permille", &Problem::sparsity_permille}};

  struct Args {
    View x;                              ///< f32 [1][in]
    View q, q_transposed;                ///< [in][in]; empty when not rotated
    View w;                              ///< [in][out]: W for dense and naive, Q^T W for online
    View scattered;                      ///< scratch, f32 [1][in]
    View rotated, unrotated;             ///< scratch, f32 [1][in]; empty when not rotated
    View index, value;                   ///< scratch, i32 and f32 [1][k]
    View y;                              ///< f32 [1][out], overwritten
    std::shared_ptr<StageTimes> stages;  ///< added to by every call on the CPU
    std::shared_ptr<void> prepared;  ///< W in panels, or a captured graph, for the variants that want them
  };
  using Variant = VariantOf<Problem, Args>;

  static Cost cost(const Problem& problem);  ///< of the dense product, for every mode: what is to be beaten
  static Args make(const Problem& problem, Arena& arena);
  static Check check(const Problem& problem, const Args& got, const Args& want);
  static std::vector<Problem> odd_problems();
  /// ref (of online), then dense, naive and online, each with the fastest kernels of this machine (those that
  /// skip no row have their weights in panels, where these run) and checked against a double-precision
  /// computation of its own formula. On the GPU: cublas_dense, and cuda_dense, cuda_naive, cuda_online and
  /// cuda_fused (selection and product in one launch, after that of the rotation), the first, third and last
  /// also as a captured graph (cuda_*_graph).
  static std::span<const Variant> variants();
};

}  // namespace trisect::larosa
