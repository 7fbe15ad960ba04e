// Rotations that know nothing of any text: the control, and what synthetic models are timed with.
#pragma once

#include <memory>

#include "integration/phi2/model/rotations.hpp"
#include "kernels/core/random.hpp"

namespace trisect::phi2 {

/// Orthogonal matrices made when they are asked for: a Hadamard matrix of the largest power of two that
/// divides `hidden`, times a random orthogonal one of the rest, with random signs. `info` says how many and
/// of which kind; they depend on (config, seed, layer) alone. What a rotation costs does not depend on it.
std::unique_ptr<RotationSource> random_rotations(const Config& config, RotationInfo info, Seed seed);

}  // namespace trisect::phi2
