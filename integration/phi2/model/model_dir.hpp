// What the argument of --model means.
#pragma once

#include <filesystem>
#include <string>

#include "integration/phi2/model/config.hpp"

namespace trisect::phi2 {

/// A model that was found; nothing of it but its configuration has been read.
struct ModelSource {
  std::string name;                 ///< as it was asked for
  std::filesystem::path directory;  ///< in Hugging Face layout; empty for a synthetic model
  Config config;

  bool synthetic() const { return directory.empty(); }
};

/// Resolves, in this order:
///   synthetic:NAME   random weights in the shape of phi-2, phi-1.5, phi-1 or phi-mini;
///                    synthetic:NAME:LAYERS has no more than its first so many layers
///   NAME             without a slash: a model that comes with Trisect, such as phi-mini, in $TRISECT_MODELS,
///   the
///                    source tree or ../share/trisect/models beside the program
///   DIRECTORY        with config.json
///   OWNER/NAME       a Hugging Face repository in the one cache that huggingface_hub would use:
///   $HF_HUB_CACHE,
///                    $HF_HOME/hub, $XDG_CACHE_HOME/huggingface/hub or ~/.cache/huggingface/hub; revision
///                    main, or the only one there
/// Throws Error(kUsage) for an unknown synthetic shape, and Error(kEnvironment) that lists the places
/// searched and says what to do when there is no such model; those of load_config() otherwise.
ModelSource find_model(const std::string& argument);

}  // namespace trisect::phi2
