// LaRoSA's rotations from a text (arXiv 2507.01299, Algorithm 1).
#pragma once

#include <filesystem>
#include <span>

#include "integration/phi2/model/rotations.hpp"
#include "integration/phi2/model/weights.hpp"

namespace trisect::phi2 {

/// Runs the text through the dense model in windows of its context, one layer after the other, and adds up
/// the second moments H = X^T X of what enters q|k|v|fc1, in the space that `wanted` names. Q = eigenvectors
/// of H + damping * mean(diag H) * I in f64, by falling eigenvalue; for kind global H is the sum over layers,
/// each divided by its trace. With `wanted.values` the same is done for the values of each head, as attention
/// mixes them for dense. Kinds layer and global, or none for values alone.
///
/// Beyond weights and result it needs 4 bytes * tokens * hidden for the residual stream, one layer's KV
/// cache, and a few [hidden][hidden] matrices. With a `state` directory each finished layer is written there
/// (4 bytes * tokens * hidden and the layer's matrices), and the same call goes on where an earlier one was
/// stopped, with the same result to the bit; the directory is the caller's to remove. Throws Error(kUsage)
/// for a text of fewer tokens than `hidden`, whose moments would be singular before damping;
/// Error(kEnvironment) for a state of another calibration; Error(kInterrupted) after Ctrl-C.
Rotations calibrate(const Weights& weights, std::span<const std::int32_t> ids, const RotationInfo& wanted,
                    const Progress& progress = {}, const std::filesystem::path& state = {});

}  // namespace trisect::phi2
