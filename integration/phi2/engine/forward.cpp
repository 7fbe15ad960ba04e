#include "integration/phi2/engine/forward.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/dense/rope.hpp"
#include "kernels/dense/sample.hpp"
#include "kernels/vattention/decode_attention.hpp"
#include "kernels/vattention/rope_append.hpp"

namespace trisect::phi2 {

Forward::Forward(const Config& config, Projection& projection, int max_rows, StageClock& clock, Device device,
                 bool graphs)
    : config_(config),
      projection_(projection),
      clock_(clock),
      device_(device),
      graphs_wanted_(graphs && device == Device::kCuda),
      residual_(device, Dtype::kF32, max_rows, config.hidden),
      qkvh_(device, Dtype::kF32, max_rows, 3 * config.hidden + config.intermediate),
      rope_table_(device, Dtype::kF32, config.positions, config.rotary_dim),
      ids_(device, Dtype::kI32, 1, max_rows),
      rows_(device, 5 * static_cast<std::size_t>(max_rows)) {
  const Buffer table = dense::make_rope_table(config.positions, config.rotary_dim, double{config.rope_theta});
  rope_table_.upload(table.data(), table.bytes());
  for (int index = 0; index < config.layers; ++index) layer_names_.push_back(fmt::format("layer {}", index));
}

void Forward::step(const Rows& rows, vattention::KvCache& cache, const View& logits) {
  if (device_ == Device::kCpu) return compute(rows, cache, {.logits = logits});
  if (!logits.contiguous()) usage_error("logits of {} rows with gaps between them", logits.rows);
  compute(rows, cache, {.logits = room_for(logits.rows)});
  logits_.download(logits.data, logits.bytes());
}

void Forward::step(const Rows& rows, vattention::KvCache& cache, const Choice& choice,
                   std::span<std::int32_t> ids) {
  compute(rows, cache, {.logits = room_for(static_cast<std::int64_t>(ids.size())), .choice = &choice});
  ids_.download(ids.data(), ids.size_bytes());
  for (const std::int32_t id : ids) {
    if (id < 0) dense::refuse_logits(static_cast<std::size_t>(config_.vocab));
  }
}

void Forward::compute(const Rows& rows, vattention::KvCache& cache, const Wanted& wanted) {
  const int n = rows.count();
  const View x = residual_.view().rows_from(0, n);
  cache.prepare(rows.slot, rows.position);
  Rows here = placed(rows, wanted);
  // Rows of a sequence are side by side.
  here.decodes = std::adjacent_find(rows.slot.begin(), rows.slot.end()) == rows.slot.end();
  const NvtxRange phase(here.decodes ? "decode" : "prefill");
  const auto work = [&] {
    projection_.embed(here, x);
    for (int index = 0; index < config_.layers; ++index) layer(index, here, cache.layer(index), x);
    const View& logits = wanted.logits;
    if (logits.rows > 0) projection_.logits(x.rows_from(n - logits.rows, logits.rows), logits);
    if (wanted.choice != nullptr) choose(logits, *wanted.choice);
  };
  if (!graphs_wanted_ || !here.decodes) return work();
  GraphKey key{.rows = n, .logits = static_cast<int>(wanted.logits.rows)};
  if (wanted.choice != nullptr) {
    key.chooses = true;
    key.temperature = wanted.choice->temperature;
    key.top_p = wanted.choice->top_p;
    key.vocabulary = wanted.choice->vocabulary;
  }
  for (int index = 0; index < config_.layers; ++index) key.layers.push_back(cache.layer(index));
  graphs_.run(std::move(key), work);
}

Rows Forward::placed(const Rows& rows, const Wanted& wanted) {
  const auto stride = static_cast<std::size_t>(max_rows());
  const auto place = [&](std::size_t row, std::size_t count, const auto& entry) {
    for (std::size_t i = 0; i < count; ++i) rows_.set(row * stride + i, entry(i));
  };
  if (wanted.choice != nullptr) {
    const std::span<const std::uint64_t> bits = wanted.choice->bits;
    place(3, bits.size(), [&](std::size_t i) { return static_cast<std::int32_t>(bits[i]); });
    place(4, bits.size(), [&](std::size_t i) { return static_cast<std::int32_t>(bits[i] >> 32); });
  }
  if (device_ == Device::kCpu) return rows;
  for (const std::int32_t id : rows.token) {  // a kernel could not say so
    if (id < 0 || id >= config_.vocab)
      usage_error("token id {} is outside the vocabulary of {}", id, config_.vocab);
  }
  place(0, rows.token.size(), [&](std::size_t i) { return rows.token[i]; });
  place(1, rows.slot.size(), [&](std::size_t i) { return rows.slot[i]; });
  place(2, rows.position.size(), [&](std::size_t i) { return rows.position[i]; });
  rows_.publish();
  const auto there = [&](std::size_t row) {
    return std::span(rows_.data() + row * stride, rows.token.size());
  };
  return {there(0), there(1), there(2), rows.decodes};
}

View Forward::room_for(std::int64_t rows) {
  if (logits_.view().rows < rows) {
    graphs_.clear();  // they write where logits were
    logits_ = Tensor(device_, Dtype::kF32, rows, config_.vocab);
  }
  return logits_.view().rows_from(0, rows);
}

void Forward::choose(const View& logits, const Choice& choice) {
  const NvtxRange range("sample");
  const int rows = static_cast<int>(logits.rows),
            ids = choice.vocabulary > 0 ? choice.vocabulary : config_.vocab;
  const std::int32_t* const bits = rows_.data() + 3 * max_rows();
  const dense::Sample::Problem problem{rows, ids, static_cast<int>(std::lround(1000 * choice.temperature)),
                                       static_cast<int>(std::lround(1000 * choice.top_p))};
  best_variant<dense::Sample>(problem, device_)
      .run(problem, {logits.columns(0, ids), View::of(bits, 2, rows, max_rows()),
                     ids_.view().columns(0, rows), choice.temperature, choice.top_p});
}

void Forward::layer(int index, const Rows& rows, const dense::KvSpan& kv, const View& x) {
  const NvtxRange range(layer_names_[static_cast<std::size_t>(index)].c_str());
  const int n = rows.count(), hidden = config_.hidden;
  const View qkvh = qkvh_.view().rows_from(0, n);
  const View query = qkvh.columns(0, hidden), query_key = qkvh.columns(0, 2 * hidden);
  const View value = qkvh.columns(2 * hidden, hidden);
  // Once values are in the cache their place is free: attention's output goes there, beside h, as the rows of
  // `out` lie.
  const View attention = value, attention_h = qkvh.columns(2 * hidden, hidden + config_.intermediate);
  const View slot = Rows::view(rows.slot), position = Rows::view(rows.position);
  const vattention::RopeAppend::Problem place{n,
                                              config_.positions,
                                              config_.positions,
                                              config_.heads,
                                              config_.head_dim,
                                              config_.rotary_dim,
                                              kv.dtype};

  projection_.in(index, x, qkvh);
  clock_.time(Stage::kAttention, [&] {
    best_variant<vattention::RopeAppend>(place, device_)
        .run(place, {query_key, value, slot, position, rope_table_.view(), kv, {}, {}});
    attend(rows, query, attention, kv);
  });
  projection_.out(index, attention_h, x);
}

void Forward::attend(const Rows& rows, const View& query, const View& to, const dense::KvSpan& kv) const {
  const View slot = Rows::view(rows.slot), position = Rows::view(rows.position);
  const int n = rows.count();
  if (device_ == Device::kCuda && rows.decodes) {  // a row alone must be split to keep a GPU busy
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
  best_variant<dense::Attention>(problem, device_).run(problem, {query, slot, position, to, kv});
}

}  // namespace trisect::phi2
