// The forward pass, written once. What is optimised is chosen at its seams: the linear layers (Projection)
// and the place of keys and values (KvCache); a token enters as an id and leaves as logits, or as the next
// id.
#pragma once

#include <string>
#include <vector>

#include "integration/phi2/engine/choice.hpp"
#include "integration/phi2/engine/decode_graphs.hpp"
#include "integration/phi2/engine/kv_cache.hpp"
#include "integration/phi2/engine/projection.hpp"
#include "kernels/core/tensor.hpp"
#include "kernels/vattention/kv_table.hpp"

namespace trisect::phi2 {

class Forward {
 public:
  /// Borrows its arguments. Steps have at most `max_rows` rows. The projection's weights and the cache must
  /// be on `device`; what step() takes and gives is on the host. With `graphs`, on CUDA, steps that decode
  /// are recorded when they are first seen and replayed from then on.
  Forward(const Config& config, Projection& projection, int max_rows, StageClock& clock,
          Device device = Device::kCpu, bool graphs = false);

  /// One step: writes the rows' keys and values into the cache and the logits (f32 [l][vocab]) of its last l
  /// rows, l >= 0. Rows may be any mixture of prefill and decoding, of slots of any lengths. Throws
  /// Error(kUsage) for an id or position out of range, and what the cache's prepare() throws, before anything
  /// is computed.
  void step(const Rows& rows, vattention::KvCache& cache, const View& logits);

  /// The same, but chooses the ids that follow its last rows, as many as there are `ids`: nothing else leaves
  /// the device. Throws Error(kCheckFailed) when no logit is a number.
  void step(const Rows& rows, vattention::KvCache& cache, const Choice& choice, std::span<std::int32_t> ids);

  /// One layer of a step whose cache has been prepared, with that layer's keys and values: the residual
  /// stream x [rows][hidden] is changed in place.
  void layer(int index, const Rows& rows, const dense::KvSpan& kv, const View& x);

  /// Of what decodes from now on, the projection computes something else.
  void projection_changed() { graphs_.clear(); }
  int graph_captures() const { return graphs_.captures(); }

  int max_rows() const { return static_cast<int>(residual_.view().rows); }
  std::size_t scratch_bytes() const {
    // rows_ is five times as long as ids_.
    return residual_.bytes() + qkvh_.bytes() + rope_table_.bytes() + logits_.bytes() + 6 * ids_.bytes();
  }

 private:
  /// What a step leaves behind: logits of its last rows, and ids where something chooses.
  struct Wanted {
    View logits;
    const Choice* choice = nullptr;
  };

  void compute(const Rows& rows, vattention::KvCache& cache, const Wanted& wanted);
  /// The rows and the bits of a choice where kernels can read them.
  Rows placed(const Rows& rows, const Wanted& wanted);
  void choose(const View& logits, const Choice& choice);
  void attend(const Rows& rows, const View& query, const View& to, const dense::KvSpan& kv) const;
  /// Logits of a step on the device.
  View room_for(std::int64_t rows);

  const Config& config_;
  Projection& projection_;
  StageClock& clock_;
  Device device_;
  bool graphs_wanted_;
  std::vector<std::string> layer_names_;  // of ranges on a profiler's timeline
  DecodeGraphs graphs_;
  Tensor residual_;           // [max_rows][hidden]
  Tensor qkvh_;               // [max_rows][3 * hidden + intermediate]
  Tensor rope_table_;         // [positions][rotary_dim]
  Tensor logits_;             // as many rows as have been asked for
  Tensor ids_;                // i32 [1][max_rows]
  vattention::KvTable rows_;  // [5][max_rows]: tokens, slots, positions, low and high halves of bits
};

}  // namespace trisect::phi2
