#include "integration/phi2/engine/forward.hpp"

#include "kernels/dense/rope.hpp"
#include "kernels/vattention/append.hpp"

namespace trisect::phi2 {

Forward::Forward(const Config& config, Projection& projection, int max_rows, StageClock& clock)
    : config_(config),
      projection_(projection),
      clock_(clock),
      residual_(Dtype::kF32, max_rows, config.hidden),
      qkvh_(Dtype::kF32, max_rows, 3 * config.hidden + config.intermediate),
      rope_table_(dense::make_rope_table(config.positions, config.rotary_dim, double{config.rope_theta})) {}

void Forward::step(const Rows& rows, vattention::KvCache& cache, const View& logits) {
  const int n = rows.count();
  const View x = residual_.view().rows_from(0, n);
  cache.prepare(rows.slot, rows.position);
  projection_.embed(rows, x);
  for (int index = 0; index < config_.layers; ++index) layer(index, rows, cache.layer(index), x);
  if (logits.rows > 0) projection_.logits(x.rows_from(n - logits.rows, logits.rows), logits);
}

void Forward::layer(int index, const Rows& rows, const dense::KvSpan& kv, const View& x) {
  const int n = rows.count(), hidden = config_.hidden;
  const View qkvh = qkvh_.view().rows_from(0, n);
  const View query = qkvh.columns(0, hidden), query_key = qkvh.columns(0, 2 * hidden);
  const View key = qkvh.columns(hidden, hidden), value = qkvh.columns(2 * hidden, hidden);
  // Once values are in the cache their place is free: attention's output goes there, beside h, as the rows of
  // `out` lie.
  const View attention = value, attention_h = qkvh.columns(2 * hidden, hidden + config_.intermediate);
  const View slot = Rows::view(rows.slot), position = Rows::view(rows.position);
  const dense::Rope::Problem rope{n, 2 * config_.heads, config_.head_dim, config_.rotary_dim,
                                  config_.positions};

  projection_.in(index, x, qkvh);
  clock_.time(Stage::kAttention, [&] {
    best_variant<dense::Rope>(rope).run(rope, {query_key, position, rope_table_.view()});
    const vattention::Append::Problem append{
        n, config_.positions, config_.positions, config_.heads, config_.head_dim, kv.dtype};
    best_variant<vattention::Append>(append).run(append, {key, value, slot, position, kv, {}, {}});
    const dense::Attention::Problem problem{n,       1, config_.positions, config_.heads, config_.head_dim,
                                            kv.dtype};
    best_variant<dense::Attention>(problem).run(problem, {query, slot, position, attention, kv});
  });
  projection_.out(index, attention_h, x);
}

}  // namespace trisect::phi2
