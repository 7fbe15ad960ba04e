// LaRoSA's coefficients by grid search (arXiv 2507.01299): the least error of the model's output among those
// that leave the same share of weights unread.
#pragma once

#include <filesystem>

#include "integration/phi2/engine/divergence.hpp"

namespace trisect::phi2 {

/// Pairs with weight_sparsity() = p: that of the inputs of q, k, v and fc1 goes from 0.5 to 1.5 in steps of
/// 0.05, as far as none leads out of [0, 1). Throws Error(kUsage) for p outside (0, 1).
std::vector<Coefficients> coefficient_grid(const Config& config, int sparsity_permille);

struct GridPoint {
  Coefficients coefficients;
  Divergence error;  ///< from the predictions of the same engine when it drops nothing
};

/// Tries every pair of the grid on the text, in windows of at most 512 tokens whose every token has
/// activations dropped. Memory beyond the engine's is 4 bytes * window * vocabulary. With a `state` file
/// finished windows are kept there, and the same call goes on after the last of them; the file is the
/// caller's to remove, that of another search is begun anew. The engine has LaRoSA; how much it drops
/// afterwards is up to the caller. Throws Error(kUsage) for a text of fewer than two tokens,
/// Error(kInterrupted) after Ctrl-C.
std::vector<GridPoint> search_coefficients(Engine& engine, std::span<const std::int32_t> ids,
                                           int sparsity_permille, const Progress& progress = {},
                                           const std::filesystem::path& state = {});

/// The point of the least mean KL divergence.
const GridPoint& best_of(const std::vector<GridPoint>& grid);

}  // namespace trisect::phi2
