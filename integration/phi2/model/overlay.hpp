// overlay.json: a model directory that has only the tensors in which it differs from another model.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace trisect::phi2 {

/// {"format": "trisect-overlay", "version": 1, "base": DIRECTORY, "hash": HASH}. `base` is seen from the
/// directory that the file is in, and must itself be no overlay. `hash` may be left out.
struct Overlay {
  std::filesystem::path base;       ///< where all other tensors are
  std::optional<std::string> hash;  ///< of the weights as a whole, as Weights::hash: another base is refused
};

/// Nothing where there is no overlay.json. Throws Error(kEnvironment) with file, field and remedy.
std::optional<Overlay> find_overlay(const std::filesystem::path& directory);

}  // namespace trisect::phi2
