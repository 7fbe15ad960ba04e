// Where LaRoSA's rotations come from.
#pragma once

#include <filesystem>
#include <string>

#include "integration/phi2/engine/calibrate.hpp"
#include "integration/runner/model.hpp"

namespace trisect::runner {

/// How calibration is done unless it is said otherwise; more tokens than this change little.
struct CalibrationOptions {
  double damping = 0.01;
  int max_tokens = 16384;  ///< of the text's beginning
};

/// Calibrates on a text, and says so on standard error. Throws Error(kUsage) for a text that is too short,
/// Error(kEnvironment) when the model has no tokenizer.
phi2::Rotations calibrate_on(const Model& model, const phi2::Weights& weights,
                             const std::filesystem::path& text, const CalibrationOptions& options = {});

struct ChosenRotations {
  phi2::Rotations rotations;
  std::string origin;      ///< "phi-mini.rotations", "calibrated on calibration.txt (16384 tokens)", "random"
  double calibrate_s = 0;  ///< what calibrating took, if they were calibrated now
};

/// Those of the file, if one is named; for a synthetic model random ones; else calibrated now on the text
/// that comes with Trisect.
ChosenRotations choose_rotations(const Model& model, const phi2::Weights& weights, const std::string& file);

}  // namespace trisect::runner
