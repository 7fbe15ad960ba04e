// The forward pass, written once. What is optimised is chosen at its seams: the linear layers (Projection)
// and the place of keys and values (KvCache); a token enters as an id and leaves as logits.
#pragma once

#include "integration/phi2/engine/kv_cache.hpp"
#include "integration/phi2/engine/projection.hpp"
#include "kernels/core/tensor.hpp"

namespace trisect::phi2 {

class Forward {
 public:
  /// Borrows its arguments. Steps have at most `max_rows` rows. The projection's weights and the cache must
  /// be on `device`; what step() takes and gives is on the host.
  Forward(const Config& config, Projection& projection, int max_rows, StageClock& clock,
          Device device = Device::kCpu);

  /// One step: writes the rows' keys and values into the cache and the logits (f32 [l][vocab]) of its last l
  /// rows, l >= 0. Rows may be any mixture of prefill and decoding, of slots of any lengths. Throws
  /// Error(kUsage) for an id or position out of range, and what the cache's prepare() throws, before anything
  /// is computed.
  void step(const Rows& rows, vattention::KvCache& cache, const View& logits);

  /// One layer of a step whose cache has been prepared, with that layer's keys and values: the residual
  /// stream x [rows][hidden] is changed in place.
  void layer(int index, const Rows& rows, const dense::KvSpan& kv, const View& x);

  int max_rows() const { return static_cast<int>(residual_.view().rows); }
  std::size_t scratch_bytes() const {
    return residual_.bytes() + qkvh_.bytes() + rope_table_.bytes() + rows_.bytes() + logits_.bytes();
  }

 private:
  /// The rows where kernels can read them.
  Rows placed(const Rows& rows);
  void logits(const View& x, const View& to);
  void attend(const View& query, const View& slot, const View& position, const View& to,
              const dense::KvSpan& kv) const;

  const Config& config_;
  Projection& projection_;
  StageClock& clock_;
  Device device_;
  Tensor residual_;    // [max_rows][hidden]
  Tensor qkvh_;        // [max_rows][3 * hidden + intermediate]
  Tensor rope_table_;  // [positions][rotary_dim]
  // Elsewhere than on the CPU:
  Tensor rows_;    // i32 [3][max_rows]: tokens, slots, positions
  Tensor logits_;  // as many rows as have been asked for
};

}  // namespace trisect::phi2
