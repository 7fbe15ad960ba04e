// LaRoSA in the engine (arXiv 2507.01299): the inputs of q|k|v|fc1 in a rotated basis, those of dense and fc2 as they
// are, each cut to its k largest entries, token by token.
#pragma once

#include <span>

#include "integration/phi2/engine/projection.hpp"

namespace trisect::phi2 {

/// naive: rotate, select, scatter, rotate back, dense product; the weights stay as they are.
/// online: rotate, select, and read only the kept rows of the rotated weights: absorb() must have been called.
enum class LarosaMode { kNaive, kOnline };

struct LarosaOptions {
  LarosaMode mode = LarosaMode::kOnline;
  int sparsity_permille = 0;  ///< p
  /// The published split: s = 0.8 p for the inputs of q, k, v and fc1, 1.2 p for those of dense and fc2.
  int in_coefficient_permille = 800, out_coefficient_permille = 1200;
  bool prefill = false;  ///< select in steps of several rows too: for quality, where every token must be treated alike

  int in_permille() const { return sparsity_permille * in_coefficient_permille / 1000; }
  int out_permille() const { return sparsity_permille * out_coefficient_permille / 1000; }
};

/// Throws Error(kUsage) when a resulting sparsity is outside [0, 1).
void validate(const LarosaOptions& options);

/// In place, layer by layer: q|k|v|fc1 become Q^T (q|k|v|fc1). `rotations` has an f32 [hidden][hidden] a layer.
void absorb(std::span<const View> rotations, Weights& weights, const Progress& progress = {});

/// Keeps each Q in the weights' type (for naive its transpose too); borrows the rest.
std::unique_ptr<Projection> make_larosa_projection(const Weights& weights, std::span<const View> rotations,
                                                   const LarosaOptions& options, int max_rows, StageClock& clock);

/// Bytes of the rotations kept by a projection made with these arguments.
std::size_t rotation_bytes(const Weights& weights, const LarosaOptions& options);

}  // namespace trisect::phi2
