// From options to an engine that is ready to run.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "integration/phi2/engine/engine.hpp"
#include "integration/phi2/model/model_dir.hpp"
#include "integration/phi2/tokenizer/tokenizer.hpp"
#include "integration/runner/options.hpp"

namespace trisect::runner {

/// What is known of a model before its weights are read.
struct Model {
  phi2::ModelSource source;
  Dtype dtype = Dtype::kBf16;
  Device device = Device::kCpu;                ///< that computes
  std::unique_ptr<phi2::Tokenizer> tokenizer;  ///< null where there is none

  /// Ids in use; rows of the tables beyond them are padding.
  int vocabulary() const { return tokenizer ? tokenizer->size() : source.config.vocab; }
};

/// Finds the model and its tokenizer. Throws Error(kEnvironment) for a device that is not there, and those of
/// find_model() and the tokenizer's.
Model find_model(const ModelOptions& options);

/// The tokenizer of `directory`. Throws Error(kEnvironment) when there is none.
std::unique_ptr<phi2::Tokenizer> load_tokenizer(const std::string& directory);

struct LoadedEngine {
  std::unique_ptr<phi2::Engine> engine;
  double load_s = 0;     ///< reading weights and rotations, and making the engine of them; not calibration
  std::string rotation;  ///< where the rotations come from; "" without
};

/// Reads the weights and, with LaRoSA, the rotations (see choose_rotations()).
LoadedEngine load_engine(const Model& model, const phi2::EngineOptions& options,
                         const std::string& rotation_file);

}  // namespace trisect::runner
