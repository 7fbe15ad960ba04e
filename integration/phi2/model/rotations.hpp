// LaRoSA's rotations: orthogonal matrices of one model, what they were made from, and their file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "integration/phi2/model/config.hpp"
#include "kernels/core/buffer.hpp"

namespace trisect::phi2 {

/// Which Q the input of q, k, v and fc1 is multiplied with: eigenvectors of the second moments of each
/// layer's input (layer), or of all layers' together (global); one random matrix (random) or nothing (none)
/// as controls.
enum class RotationKind { kLayer, kGlobal, kRandom, kNone };
std::string_view name_of(RotationKind kind);                  ///< "layer", "global", "random", "none"
RotationKind rotation_kind_from_name(std::string_view name);  ///< throws Error(kUsage)

/// What is rotated: the layer's normalised input with gain and bias (modes naive and online) ...
inline constexpr std::string_view kLayernormSpace = "layernorm";
/// ... or the input less its mean, over its deviation: what is left when gain and bias are merged into the
/// weights.
inline constexpr std::string_view kCentredSpace = "centred";

/// s = in * p for the inputs of q, k, v and fc1, out * p for those of dense and fc2.
struct Coefficients {
  int in_permille = 800, out_permille = 1200;  ///< as published
};

/// The file's metadata beside its format and version.
struct RotationInfo {
  RotationKind kind = RotationKind::kLayer;
  bool values = false;     ///< each head's values are rotated too
  std::string model_hash;  ///< Weights::hash of the model that was calibrated
  std::string text_hash;   ///< hash_name() of the calibration text; "" for random ones
  std::int64_t text_tokens = 0;
  std::string space{kLayernormSpace};
  double damping = 0;  ///< multiple of the mean diagonal that was added to the second moment
  std::optional<Coefficients> coefficients{};  ///< found by a search ...
  int search_sparsity_permille = 0;            ///< ... at this share of the layers' weights left unread
  std::int64_t search_tokens = 0;              ///< ... on so many tokens of the text
};

/// Matrices that are read or made when they are asked for, so that nobody need hold those of all layers.
class RotationSource {
 public:
  virtual ~RotationSource() = default;

  const RotationInfo& info() const { return info_; }
  bool rotates() const { return info_.kind != RotationKind::kNone; }
  /// False when all layers share one Q.
  bool per_layer() const { return info_.kind == RotationKind::kLayer; }

  /// f32 [hidden][hidden] with orthonormal columns: a row vector x becomes x * Q. Not for kind none.
  virtual Buffer rotation(int layer) const = 0;
  /// f32 [hidden][head_dim]: head h's matrix is in the head_dim rows from h * head_dim. Only where
  /// info().values.
  virtual Buffer values(int layer) const = 0;

 protected:
  explicit RotationSource(RotationInfo info) : info_(std::move(info)) {}

  RotationInfo info_;
};

/// Held in memory, to be filled in. Move-only.
class Rotations : public RotationSource {
 public:
  explicit Rotations(RotationInfo info) : RotationSource(std::move(info)) {}

  Buffer rotation(int layer) const override;
  Buffer values(int layer) const override;

  RotationInfo& info() { return info_; }
  using RotationSource::info;

  std::vector<Buffer> rotation_matrices;  ///< one a layer, one, or none
  std::vector<Buffer> value_matrices;     ///< one a layer, or none
};

/// Writes safetensors in f32, and the metadata; whole or not at all. Throws Error(kEnvironment) when the file
/// cannot be written.
void save_rotations(const std::filesystem::path& path, const Rotations& rotations);

/// What a file says of itself. Throws Error(kEnvironment), one line with file and remedy, when it is no
/// rotation file of this version.
RotationInfo read_rotation_info(const std::filesystem::path& path);

/// The file of one model and space, whose matrices are read when they are asked for. Throws
/// Error(kEnvironment), one line with file and remedy, when model, space or shapes are others; on reading,
/// when a sample of a matrix's columns is not orthonormal to 1e-3.
std::unique_ptr<RotationSource> open_rotations(const std::filesystem::path& path, const Config& config,
                                               std::string_view model_hash, std::string_view space);

}  // namespace trisect::phi2
