// How LaRoSA is run: mode, rotation and how much is dropped where.
#pragma once

#include <optional>

#include "integration/phi2/engine/larosa_weights.hpp"

namespace trisect::phi2 {

struct LarosaOptions {
  LarosaMode mode = LarosaMode::kOnline;
  RotationKind rotation = RotationKind::kLayer;
  int sparsity_permille = 0;  ///< p
  Coefficients coefficients{};
  bool prefill = false;  ///< select in steps with several rows of a sequence too: in prefill, and for quality
  bool values = true;    ///< each head's values are rotated too, where rotations are made

  int in_permille() const { return sparsity_permille * coefficients.in_permille / 1000; }
  int out_permille() const { return sparsity_permille * coefficients.out_permille / 1000; }
};

/// Throws Error(kUsage) when a resulting sparsity is outside [0, 1).
void validate(const LarosaOptions& options);

/// The share of the layers' weights whose activations are dropped, which a decode step leaves unread except
/// in mode naive. The coefficients make it differ from p: 0.967 p at phi-2 with 0.8 and 1.2, since q, k, v
/// and fc1 have more weights than dense and fc2.
double weight_sparsity(const Config& config, const LarosaOptions& options);

/// Coefficients of which weight_sparsity() comes as close to p as whole permilles allow: out_permille for a
/// given in_permille. Nothing where that would take a sparsity outside [0, 1), and for p = 0.
std::optional<Coefficients> balanced(const Config& config, int sparsity_permille, int in_permille);

}  // namespace trisect::phi2
