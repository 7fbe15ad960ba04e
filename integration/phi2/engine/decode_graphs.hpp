// Decode steps recorded once and replayed while the KV cache grows underneath.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "kernels/core/recording.hpp"
#include "kernels/dense/attention.hpp"

namespace trisect::phi2 {

/// All that a step's launches depend on besides what they read from device memory, where tokens, slots,
/// positions, random bits and the tables of paged caches lie. Caches never move what layer() points to
/// (KvCache), so a sequence that grows does not change it.
struct GraphKey {
  int rows = 0, logits = 0;  ///< logits: of how many rows
  bool chooses = false;
  float temperature = 0, top_p = 1;
  int vocabulary = 0;
  std::vector<dense::KvSpan> layers{};

  bool operator==(const GraphKey& other) const;
};

class DecodeGraphs {
 public:
  /// Does `work`, recording it if it is the first of its key.
  void run(GraphKey key, const std::function<void()>& work);
  /// The memory that steps use, or what they compute, has changed.
  void clear() { recorded_.clear(); }
  int captures() const { return captures_; }

 private:
  static constexpr std::size_t kMost = 256;  // steps of 64 sizes in a few ways; beyond them all are forgotten

  struct Recorded {
    GraphKey key;
    std::unique_ptr<Recording> step;
  };
  std::vector<Recorded> recorded_;
  int captures_ = 0;
};

}  // namespace trisect::phi2
