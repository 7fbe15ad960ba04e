// From options to an engine that is ready to run.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "integration/phi2/engine/engine.hpp"
#include "integration/phi2/model/model_dir.hpp"
#include "integration/phi2/model/patch_vocabulary.hpp"
#include "integration/phi2/tokenizer/tokenizer.hpp"
#include "integration/runner/options.hpp"

namespace trisect::runner {

/// What is known of a model before its weights are read.
struct Model {
  phi2::ModelSource source;
  Dtype dtype = Dtype::kBf16;
  Device device = Device::kCpu;                  ///< that computes
  bool cuda_graphs = true;                       ///< see EngineOptions
  std::unique_ptr<phi2::Tokenizer> tokenizer;    ///< null where there is none; patched if the vocabulary is
  std::optional<phi2::PatchVocabulary> patch{};  ///< how the vocabulary differs from the base tokenizer's
  bool adapted = false;  ///< the stored weights are those of the patched vocabulary already

  /// Ids in use; rows of the tables beyond them are padding.
  int vocabulary() const { return tokenizer ? tokenizer->size() : source.config.vocab; }
};

/// Finds the model and its tokenizer. Where --patch-tokenizer names an adapted model, that one is found in
/// the model's place. Throws Error(kEnvironment) for a device that is not there, and those of find_model()
/// and the tokenizer's.
Model find_model(const ModelOptions& options);

/// The tokenizer of `directory`, patched as --patch-tokenizer says, or by the file of an adapted model that
/// is there. Throws Error(kEnvironment) when there is none.
std::unique_ptr<phi2::Tokenizer> load_tokenizer(const std::string& directory, const std::string& patch = "");

/// phi2::tokenizer_hash() of the tokenizer.json there, patched or not.
std::string base_tokenizer_hash(const std::string& directory);

/// patch(load()): as the model's vocabulary wants them.
phi2::Weights load_weights(const Model& model);

struct LoadedEngine {
  std::unique_ptr<phi2::Engine> engine;
  double load_s = 0;     ///< reading weights and rotations, and making the engine of them; not calibration
  std::string rotation;  ///< where the rotations come from; "" without
};

/// Reads the weights and, with LaRoSA, the rotations (see choose_rotations()).
LoadedEngine load_engine(const Model& model, const phi2::EngineOptions& options,
                         const std::string& rotation_file);

}  // namespace trisect::runner
