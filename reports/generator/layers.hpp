// The rows of larosa/layer put together: one linear layer per shape, type and whether its input is rotated,
// at every sparsity, in every mode.
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

/// The stages of a mode other than the product, in the order in which they run.
inline constexpr const char* kOverheadStages[] = {"rotate", "topk", "scatter", "unrotate"};
inline constexpr char kProductStage[] = "product";

/// What "stage" took per call; 0 for a stage that the mode does not have.
double stage_ns(const Row& row, const std::string& stage);
double overhead_ns(const Row& row);

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

/// "12.3 %", "at most 25 %" or "not up to 75 %"; where the quartiles of the speed-ups say something else,
/// with what the upper and the lower ones say: "12.3 % (quartiles: 8.1 % to not up to 75 %)".
std::string break_even_text(const Layer& layer, const std::string& mode);

/// Whether the layers of one type are the linear layers of a phi-2 block as the engine runs them: q, k, v and
/// fc1 as one product of the rotated input, dense and fc2 as one of what attention and gelu wrote.
bool is_phi2_block(const std::vector<Layer>& layers, const std::string& dtype);

/// All layers of one type together at one sparsity, each called once: what a block of the model would take.
struct TotalPoint {
  int sparsity_permille = 0;
  Summary dense, candidate;
  Change change;
};
/// Only sparsities at which every layer of `dtype` has both; empty for fewer than two layers.
std::vector<TotalPoint> totals_of(const std::vector<Layer>& layers, const std::string& dtype,
                                  const std::string& mode);
/// What totals_of adds up: "Both linear layers of a phi-2 block (bf16)" or "All bf16 layers".
std::string total_name(const std::vector<Layer>& layers, const std::string& dtype);

/// The types that occur, in the order of `layers`.
std::vector<std::string> dtypes_of(const std::vector<Layer>& layers);

}  // namespace trisect::report
