// Quality against sparsity: every mode and rotation of LaRoSA at a row of sparsities, on one text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "integration/phi2/engine/divergence.hpp"
#include "integration/runner/model.hpp"
#include "integration/runner/record.hpp"

namespace trisect::runner {

/// {0, 100, 750} for "0,0.1,0.75". Throws Error(kUsage).
std::vector<int> parse_sparsities(std::string_view text);

struct SweepPoint {
  phi2::LarosaOptions larosa;  ///< prefill: the text's prompts are sparse too
  std::string rotation;        ///< where the matrices come from
  double weight_sparsity = 0;  ///< see phi2::weight_sparsity()
  phi2::Divergence quality;
};

struct Sweep {
  int window = 0, prompt = 0;  ///< tokens; half of each window is prompt
  phi2::Divergence dense;
  std::vector<SweepPoint> points;
  bool complete = true;  ///< false when Ctrl-C cut it short
  std::string model_hash;
};

/// What to sweep over. Empty lists mean all: online and merged (naive computes what online does), layer,
/// global, random and none.
struct SweepPlan {
  std::vector<int> sparsities;
  std::vector<phi2::LarosaMode> modes;
  std::vector<phi2::RotationKind> rotations;
  phi2::Coefficients coefficients;
  bool values = true;
  std::string rotation_file;  ///< for its kind and its space's modes
};

/// Loads the model once for each mode and rotation. Says how far it is on standard error.
Sweep run_sweep(const Model& model, const SweepPlan& plan, std::span<const std::int32_t> ids);

/// Perplexity, divergence and agreement as tables.
std::string sweep_table(const Sweep& sweep);

/// The keys "dense" and "points" of trisect/sweep (reports/schema/sweep.schema.json).
Json sweep_json(const Sweep& sweep);

}  // namespace trisect::runner
