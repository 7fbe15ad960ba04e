// Where LaRoSA's rotations come from.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "integration/phi2/engine/calibrate.hpp"
#include "integration/runner/model.hpp"

namespace trisect::runner {

/// How calibration is done unless it is said otherwise; more tokens than this change little.
struct CalibrationOptions {
  phi2::RotationKind kind = phi2::RotationKind::kLayer;
  std::string_view space = phi2::kLayernormSpace;
  bool values = true;
  double damping = 0.01;
  int max_tokens = 16384;       ///< of the text's beginning
  std::filesystem::path state;  ///< see phi2::calibrate()
};

/// The space that a mode rotates.
std::string_view space_of(phi2::LarosaMode mode);

struct CalibrationText {
  std::string name, hash;  ///< see phi2::RotationInfo
  std::vector<phi2::TokenId> ids;
};
/// Throws Error(kEnvironment) when it cannot be read, or the model has no tokenizer.
CalibrationText read_calibration_text(const Model& model, const std::filesystem::path& path);

/// Calibrates on the text's beginning, and says so on standard error. Throws Error(kUsage) when it is too
/// short.
phi2::Rotations calibrate_on(const CalibrationText& text, const phi2::Weights& weights,
                             const CalibrationOptions& options);

/// The same on the text that comes with Trisect, for a mode and kind; and what the result is called.
phi2::Rotations calibrate_by_default(const Model& model, const phi2::Weights& weights,
                                     const phi2::LarosaOptions& larosa);
std::string default_origin(const phi2::Rotations& rotations);

struct ChosenRotations {
  std::unique_ptr<phi2::RotationSource> rotations;
  std::string
      origin;  ///< "layer, phi-mini.rotations", "global, calibrated on calibration.txt (16384 tokens)"
  double calibrate_s = 0;  ///< what calibrating took, if they were calibrated now
};

/// Those of the file, if one is named; for kind random, and every kind of a synthetic model, random ones;
/// else calibrated now on the text that comes with Trisect. The matrices are read or made as they are needed.
ChosenRotations choose_rotations(const Model& model, const phi2::Weights& weights,
                                 const phi2::LarosaOptions& larosa, const std::string& file);

/// False when choose_rotations() would calibrate.
bool rotations_need_no_text(const Model& model, const phi2::LarosaOptions& larosa, const std::string& file);

}  // namespace trisect::runner
