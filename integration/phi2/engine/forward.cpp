#include "integration/phi2/engine/forward.hpp"

#include <algorithm>

#include "kernels/dense/rope.hpp"
#include "kernels/vattention/append.hpp"
#include "kernels/vattention/decode_attention.hpp"

namespace trisect::phi2 {

Forward::Forward(const Config& config, Projection& projection, int max_rows, StageClock& clock, Device device)
    : config_(config),
      projection_(projection),
      clock_(clock),
      device_(device),
      residual_(device, Dtype::kF32, max_rows, config.hidden),
      qkvh_(device, Dtype::kF32, max_rows, 3 * config.hidden + config.intermediate),
      rope_table_(device, Dtype::kF32, config.positions, config.rotary_dim) {
  const Buffer table = dense::make_rope_table(config.positions, config.rotary_dim, double{config.rope_theta});
  rope_table_.upload(table.data(), table.bytes());
  if (device != Device::kCpu) rows_ = Tensor(device, Dtype::kI32, 3, max_rows);
}

void Forward::step(const Rows& rows, vattention::KvCache& cache, const View& logits) {
  const int n = rows.count();
  const View x = residual_.view().rows_from(0, n);
  cache.prepare(rows.slot, rows.position);
  Rows here = placed(rows);
  // Rows of a sequence are side by side.
  here.decodes = std::adjacent_find(rows.slot.begin(), rows.slot.end()) == rows.slot.end();
  projection_.embed(here, x);
  for (int index = 0; index < config_.layers; ++index) layer(index, here, cache.layer(index), x);
  if (logits.rows > 0) this->logits(x.rows_from(n - logits.rows, logits.rows), logits);
}

Rows Forward::placed(const Rows& rows) {
  if (device_ == Device::kCpu) return rows;
  for (const std::int32_t id : rows.token) {  // a kernel could not say so
    if (id < 0 || id >= config_.vocab)
      usage_error("token id {} is outside the vocabulary of {}", id, config_.vocab);
  }
  const auto place = [&](int row, std::span<const std::int32_t> entries) {
    const std::size_t stride = static_cast<std::size_t>(rows_.view().stride) * sizeof(std::int32_t);
    rows_.upload(entries.data(), entries.size_bytes(), static_cast<std::size_t>(row) * stride);
    return std::span<const std::int32_t>(rows_.view().row<std::int32_t>(row), entries.size());
  };
  return {place(0, rows.token), place(1, rows.slot), place(2, rows.position), rows.decodes};
}

void Forward::logits(const View& x, const View& to) {
  if (device_ == Device::kCpu) return projection_.logits(x, to);
  if (!to.contiguous()) usage_error("logits of {} rows with gaps between them", to.rows);
  if (logits_.view().rows < to.rows) logits_ = Tensor(device_, Dtype::kF32, to.rows, to.cols);
  projection_.logits(x, logits_.view().rows_from(0, to.rows));
  logits_.download(to.data, to.bytes());
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
    best_variant<dense::Rope>(rope, device_).run(rope, {query_key, position, rope_table_.view()});
    const vattention::Append::Problem append{
        n, config_.positions, config_.positions, config_.heads, config_.head_dim, kv.dtype};
    best_variant<vattention::Append>(append, device_).run(append, {key, value, slot, position, kv, {}, {}});
    attend(query, slot, position, attention, kv);
  });
  projection_.out(index, attention_h, x);
}

void Forward::attend(const View& query, const View& slot, const View& position, const View& to,
                     const dense::KvSpan& kv) const {
  const int n = static_cast<int>(query.rows);
  if (device_ == Device::kCuda) {  // has one kernel for any mixture of rows
    const vattention::DecodeAttention::Problem problem{
        n, config_.positions, 1, config_.heads, config_.head_dim, kv.dtype};
    vattention::DecodeAttention::Args args;
    args.q = query;
    args.slot = slot;
    args.position = position;
    args.out = to;
    args.contiguous = kv;  // through a table where the cache has one
    return best_variant<vattention::DecodeAttention>(problem, device_).run(problem, args);
  }
  const dense::Attention::Problem problem{n, 1, config_.positions, config_.heads, config_.head_dim, kv.dtype};
  best_variant<dense::Attention>(problem).run(problem, {query, slot, position, to, kv});
}

}  // namespace trisect::phi2
