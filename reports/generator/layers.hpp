// The rows of larosa/layer put together: one linear layer per shape, type and whether its input is rotated,
// at every sparsity, in every mode. What the modes are worth is in ways.hpp.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "reports/generator/results.hpp"

namespace trisect::report {

inline constexpr char kLayerOp[] = "larosa/layer";
inline constexpr char kDense[] = "dense";
inline constexpr char kNaive[] = "naive";
inline constexpr char kOnline[] = "online";
inline constexpr const char* kModes[] = {kNaive, kOnline};

inline constexpr char kProductStage[] = "product";

/// One sparsity of a layer. Only rows that passed; all of one group, so they were timed interleaved.
struct LayerPoint {
  int sparsity_permille = 0;
  const Row* dense = nullptr;
  std::map<std::string, const Row*> modes;

  const Row* mode(const std::string& name) const {
    const auto found = modes.find(name);
    return found == modes.end() ? nullptr : found->second;
  }
  /// Empty unless both were measured.
  std::optional<Change> change_of(const std::string& mode) const;
};

struct Layer {
  int in = 0, out = 0;
  bool rotated = true;  ///< files older than the field have rotated layers only
  std::string dtype;
  std::vector<LayerPoint> points;  ///< ascending sparsity

  std::string shape() const;  ///< "2560→17920 rotated"
  std::string name() const;   ///< "2560→17920 rotated bf16"
};

/// Points of one row of activations, as in decoding. Ordered by type, rotation (rotated first), input and
/// output width.
std::vector<Layer> layers_of(const Results& results);

/// The types that occur, in the order of `layers`.
std::vector<std::string> dtypes_of(const std::vector<Layer>& layers);

}  // namespace trisect::report
