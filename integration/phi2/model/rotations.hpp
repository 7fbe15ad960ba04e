// LaRoSA's rotations in a file: one orthogonal matrix a layer, and what they were calibrated on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "integration/phi2/model/config.hpp"
#include "kernels/core/buffer.hpp"

namespace trisect::phi2 {

/// The space that online mode rotates: the layer's normalised input, gain and bias included.
inline constexpr std::string_view kLayernormSpace = "layernorm";

/// The file's metadata beside its format and version.
struct RotationInfo {
  std::string model_hash;  ///< Weights::hash of the model that was calibrated
  std::string text_hash;   ///< hash_name() of the calibration text
  std::int64_t text_tokens = 0;
  std::string space{kLayernormSpace};
  double damping = 0;  ///< multiple of the mean diagonal that was added to the second moment
};

/// Move-only. layers[i] is Q [hidden][hidden] with orthonormal columns: a row vector x becomes x * Q.
struct Rotations {
  RotationInfo info;
  std::vector<View> layers;
  Buffer storage;

  std::size_t bytes() const { return storage.bytes(); }
};

/// Zero matrices for a model, to be filled in; `dtype` f32 or bf16.
Rotations allocate_rotations(const Config& config, Dtype dtype);

/// Writes safetensors with "layers.{i}.rotation", which must be f32, and the metadata; whole or not at all.
/// Throws Error(kEnvironment) when the file cannot be written.
void save_rotations(const std::filesystem::path& path, const Rotations& rotations);

/// Reads the file of one model and space into f32 or bf16 matrices. Throws Error(kEnvironment), one line with
/// file and remedy, when it is no rotation file, when version, model, space or shapes are others, and when a
/// sample of columns is not orthonormal to 1e-3.
Rotations load_rotations(const std::filesystem::path& path, const Config& config, std::string_view model_hash,
                         std::string_view space, Dtype dtype);

}  // namespace trisect::phi2
