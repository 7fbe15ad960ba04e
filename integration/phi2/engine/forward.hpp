// The forward pass, written once. What is optimised is chosen at its seams: the linear layers (Projection)
// and the place of keys and values (KvCache); a token enters as an id and leaves as logits.
#pragma once

#include "integration/phi2/engine/kv_cache.hpp"
#include "integration/phi2/engine/projection.hpp"
#include "kernels/core/buffer.hpp"

namespace trisect::phi2 {

class Forward {
 public:
  /// Borrows its arguments. Steps have at most `max_rows` rows.
  Forward(const Config& config, Projection& projection, int max_rows, StageClock& clock);

  /// One step: writes the rows' keys and values into the cache and the logits (f32 [l][vocab]) of its last l
  /// rows, l >= 0. Rows may be any mixture of prefill and decoding, of slots of any lengths. Throws
  /// Error(kUsage) for an id or position out of range, and what the cache's prepare() throws, before anything
  /// is computed.
  void step(const Rows& rows, vattention::KvCache& cache, const View& logits);

  /// One layer of a step whose cache has been prepared, with that layer's keys and values: the residual
  /// stream x [rows][hidden] is changed in place.
  void layer(int index, const Rows& rows, const dense::KvSpan& kv, const View& x);

  int max_rows() const { return static_cast<int>(residual_.view().rows); }
  std::size_t scratch_bytes() const { return residual_.bytes() + qkvh_.bytes() + rope_table_.bytes(); }

 private:
  const Config& config_;
  Projection& projection_;
  StageClock& clock_;
  Buffer residual_;    // [max_rows][hidden]
  Buffer qkvh_;        // [max_rows][3 * hidden + intermediate]
  Buffer rope_table_;  // [positions][rotary_dim]
};

}  // namespace trisect::phi2
