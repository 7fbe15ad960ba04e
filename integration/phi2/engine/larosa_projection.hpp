// LaRoSA in the engine (arXiv 2507.01299): the inputs of q|k|v|fc1 in a rotated basis, those of dense and fc2
// in their own or, where the values of attention are rotated, in that one; each cut to its k largest entries,
// token by token.
#pragma once

#include "integration/phi2/engine/larosa_options.hpp"
#include "integration/phi2/engine/projection.hpp"

namespace trisect::phi2 {

/// `larosa` comes from transform() for options.mode; everything is borrowed. How much is dropped, and whether
/// prefill is sparse, may change between steps; mode and rotation may not.
std::unique_ptr<Projection> make_larosa_projection(const LarosaWeights& larosa, const LarosaOptions& options,
                                                   int max_rows, StageClock& clock);

}  // namespace trisect::phi2
