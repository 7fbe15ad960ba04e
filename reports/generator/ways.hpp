// The ways of doing what the dense product does, side by side: of one layer its modes, of a phi-2 block its
// layers' rows put together. Everything that the report says of speed against sparsity is said of these.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "reports/generator/layers.hpp"

namespace trisect::report {

/// merged: nothing is rotated at run time, but with a rotation of its own for each layer an adapter carries
/// the residual stream from one to the next.
inline constexpr char kMergedLayer[] = "merged layer";
inline constexpr char kMergedGlobal[] = "merged global";
inline constexpr const char* kWays[] = {kNaive, kOnline, kMergedLayer, kMergedGlobal};

inline constexpr char kAdapterStage[] = "adapter";
/// All stages in the order in which they run.
inline constexpr const char* kStages[] = {"rotate",   "topk",        "scatter",
                                          "unrotate", kAdapterStage, kProductStage};

std::string stage_title(const std::string& stage);  ///< "top-k" for "topk"

/// One way at one sparsity, beside the dense product that was timed interleaved with it.
struct Way {
  Summary time_ns, dense_ns;
  std::map<std::string, double> stage_ns;           ///< medians
  double weight_bytes = 0, dense_weight_bytes = 0;  ///< what has to be read, from the shapes

  Change faster() const { return change(dense_ns, time_ns); }
  /// A model, not a measurement: how much faster it would be if only reading weights took time.
  double ceiling() const { return dense_weight_bytes / weight_bytes; }
};

/// A layer, or the linear layers of a block, at every sparsity in every way that was measured.
struct Work {
  std::string name;  ///< "2560→17920 rotated bf16", "the linear layers of a phi-2 block (bf16)"
  std::string file;  ///< part of its pictures' names
  std::vector<std::string> ways;                 ///< that occur, in kWays' order
  std::map<int, std::map<std::string, Way>> at;  ///< by sparsity in permille, then by way

  const Way* find(int permille, const std::string& way) const;
};

/// The modes of a layer; of one that is not rotated, online is what merged runs.
Work work_of(const Layer& layer);

/// The linear layers of a phi-2 block as the engine runs them: q, k, v and fc1 as one product of one input,
/// rotated (naive, online) or not (merged; null where it was not measured), and dense and fc2 as one of what
/// attention and gelu wrote, which nothing rotates.
struct Block {
  const Layer *rotated = nullptr, *unrotated = nullptr, *out = nullptr;
  std::string name() const;
};
/// Points into `layers`. Empty unless those of `dtype` are a block's and nothing else.
std::optional<Block> block_of(const std::vector<Layer>& layers, const std::string& dtype);

/// The block with the same sparsity in both products.
Work work_of(const Block& block);

/// One way of the block with sparsities of their own, in permille, of the input and of the output side.
/// Between two measured sparsities times are interpolated linearly, as they fall with the rows read; beyond
/// them there is nothing. The adapter of merged layer is the rotate stage of online, the same kernel on the
/// same shape, as a share of the dense product beside it.
std::optional<Way> block_way(const Block& block, const std::string& way, double in_permille,
                             double out_permille);

/// "12.3 %", "at most 25 %" or "not up to 75 %"; where the quartiles of the speed-ups say something else,
/// with what the upper and the lower ones say: "12.3 % (quartiles: 8.1 % to not up to 75 %)".
std::string break_even_text(const Work& work, const std::string& way);
/// The same from the bytes alone.
std::string break_even_model(const Work& work, const std::string& way);

/// The largest speed-up of a way, and whether any was judged faster. Empty where it was not measured.
struct Best {
  Ratio ratio;
  bool ever_faster = false;
};
std::optional<Best> best_of(const Work& work, const std::string& way);

}  // namespace trisect::report
