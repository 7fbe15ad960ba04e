// Where a step's time goes.
#pragma once

#include <array>
#include <chrono>
#include <string_view>

#include "kernels/core/nvtx.hpp"

namespace trisect::phi2 {

enum class Stage {
  kEmbed,
  kNorm,
  kRotate,
  kSelect,
  kScatter,
  kInProduct,
  kAttention,
  kGelu,
  kOutProduct,
  kHead
};
inline constexpr std::array<const char*, 10> kStageNames = {
    "embed", "norm", "rotate", "select", "scatter", "in_product", "attention", "gelu", "out_product", "head"};

/// Seconds per stage, added up. One thread's; the team works inside a stage.
class StageClock {
 public:
  template <class Work>
  void time(Stage stage, Work work) {
    const NvtxRange range(kStageNames[static_cast<std::size_t>(stage)]);
    const auto start = std::chrono::steady_clock::now();
    work();
    seconds_[static_cast<std::size_t>(stage)] +=
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  const std::array<double, kStageNames.size()>& seconds() const { return seconds_; }

 private:
  std::array<double, kStageNames.size()> seconds_{};
};

}  // namespace trisect::phi2
