// LaRoSA's rotations: from calibration text, or random ones as the control.
#pragma once

#include <span>

#include "integration/phi2/engine/engine.hpp"

namespace trisect::phi2 {

/// Runs the text through the dense model in windows of its context and keeps, for each layer, H = X^T X of the
/// LayerNorm's output X (gain and bias included), in f64. Q = eigenvectors of H + damping * mean(diag H) * I, by falling
/// eigenvalue (arXiv 2507.01299, Algorithm 1; the released code damps by 0.01). Needs 8 * hidden^2 bytes a layer.
/// Throws Error(kUsage) for a text of fewer tokens than `hidden`, whose moments would be singular before damping;
/// Error(kInterrupted) after Ctrl-C.
Rotations calibrate(const Weights& weights, std::span<const std::int32_t> ids, double damping = 0.01,
                    const Progress& progress = {});

/// Orthogonal matrices that know nothing of any text: a Hadamard matrix of the largest power of two that divides
/// `hidden`, times a random orthogonal one of the rest, with random signs. What a rotation costs does not depend on it.
Rotations random_rotations(const Weights& weights, Seed seed);

}  // namespace trisect::phi2
