// A calibration that can be stopped: what is finished, in a directory.
#pragma once

#include <filesystem>
#include <string>

#include "integration/phi2/engine/moments.hpp"
#include "integration/phi2/model/rotations.hpp"

namespace trisect::phi2 {

/// Files are replaced whole, the list of what counts last, so that a kill at any moment costs one layer at
/// most.
class CalibrationState {
 public:
  /// "" keeps nothing. `identity` is all that decides the result.
  CalibrationState(std::filesystem::path directory, std::string identity)
      : directory_(std::move(directory)), identity_(std::move(identity)) {}

  /// Fills in what was finished before and returns the layer to go on with; 0 when there is nothing. Throws
  /// Error(kEnvironment) when the directory is of another calibration or broken.
  int load(const View& residual, Moments& sum, Rotations& rotations) const;

  /// After a layer, whose matrices are the last of `rotations`.
  void save(int layer, const View& residual, const Moments& sum, const Rotations& rotations) const;

  bool keeps() const { return !directory_.empty(); }

 private:
  std::filesystem::path layer_file(int layer) const;

  std::filesystem::path directory_;
  std::string identity_;
};

}  // namespace trisect::phi2
