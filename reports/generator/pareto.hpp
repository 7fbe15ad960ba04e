// Speed against quality: what a sparsity costs in a sweep, and what it earns in the microbenchmarks of a
// phi-2 block.
#pragma once

#include "reports/generator/curves.hpp"
#include "reports/generator/ways.hpp"

namespace trisect::report {

struct ParetoPoint {
  std::string mode, rotation;
  int sparsity_permille = 0;
  Ratio speedup;     ///< of the block's linear layers in decoding, over dense
  double price = 1;  ///< perplexity over dense
  bool front =
      false;  ///< no other point, and not dense either, is both at least as fast and at least as good
};

struct Pareto {
  std::string dtype;  ///< of the block
  std::vector<ParetoPoint> points;
  int beyond = 0;  ///< points whose sparsities lie outside of what the microbenchmarks measured
};

/// What runs at the speed of which way of a block. none needs no rotation at run time in any mode, and random
/// is one matrix for all layers, so merged they need no adapter. Empty where no row says it.
std::optional<std::string> way_of(const std::string& mode, const std::string& rotation);

/// Of the points in which decoding alone drops, at sparsities above 0. The block is that of the sweep's type,
/// or of another where that was not measured. Empty when no point has both a speed and a price.
std::optional<Pareto> pareto_of(const SweepRun& run, const std::vector<Layer>& layers);

}  // namespace trisect::report
