#include "integration/phi2/model/weights.hpp"

#include <algorithm>

#include "kernels/core/error.hpp"

namespace trisect::phi2 {
namespace {

constexpr std::size_t kRowAlignment = 64;
constexpr Seed kSyntheticSeed = 1;

/// Hands out matrices one after the other; run once without memory to learn how much they take.
class Layout {
 public:
  explicit Layout(std::byte* memory) : memory_(memory) {}

  View take(Dtype type, std::int64_t rows, std::int64_t cols) {
    const std::size_t row =
        (static_cast<std::size_t>(cols) * size_of(type) + kRowAlignment - 1) / kRowAlignment * kRowAlignment;
    std::byte* begin = memory_ == nullptr ? nullptr : memory_ + bytes_;
    bytes_ += row * static_cast<std::size_t>(rows);
    return View(begin, type, rows, cols, static_cast<std::int64_t>(row / size_of(type)));
  }
  View vector(std::int64_t size) { return take(Dtype::kF32, 1, size); }
  std::size_t bytes() const { return bytes_; }

 private:
  std::byte* memory_;
  std::size_t bytes_ = 0;
};

std::size_t lay_out(Weights& weights, std::byte* memory) {
  const Config& c = weights.config;
  const std::int64_t wide = 3 * std::int64_t{c.hidden} + c.intermediate;
  Layout layout(memory);
  for (LayerWeights& layer : weights.layers) {
    layer.norm_gain = layout.vector(c.hidden);
    layer.norm_bias = layout.vector(c.hidden);
    layer.qkvh_bias = layout.vector(wide);
    layer.out_bias = layout.vector(c.hidden);
  }
  weights.final_gain = layout.vector(c.hidden);
  weights.final_bias = layout.vector(c.hidden);
  weights.head_bias = layout.vector(c.vocab);
  weights.embedding = layout.take(weights.dtype, c.vocab, c.hidden);
  for (LayerWeights& layer : weights.layers) {
    layer.qkvh = layout.take(weights.dtype, c.hidden, wide);
    layer.out = layout.take(weights.dtype, std::int64_t{c.hidden} + c.intermediate, c.hidden);
  }
  weights.head = layout.take(weights.dtype, c.hidden, c.vocab);
  return layout.bytes();
}

}  // namespace

Weights allocate_weights(const Config& config, Dtype dtype) {
  if (dtype == Dtype::kI32) usage_error("weights in {}: choose bf16, f16 or f32", name_of(dtype));
  Weights weights;
  weights.config = config;
  weights.dtype = dtype;
  weights.layers.resize(static_cast<std::size_t>(config.layers));
  weights.storage = Buffer(lay_out(weights, nullptr));
  lay_out(weights, weights.storage.data());
  return weights;
}

Weights move_weights(Weights weights, Device device, const Progress& progress) {
  constexpr std::size_t kPart = std::size_t{64} << 20;
  if (device == weights.device) return weights;
  const std::size_t bytes = weights.storage.bytes();
  weights.device_storage = Tensor(device, Dtype::kF32, 1, static_cast<std::int64_t>(bytes / sizeof(float)));
  for (std::size_t at = 0; at < bytes; at += kPart) {
    const std::size_t part = std::min(kPart, bytes - at);
    weights.device_storage.upload(weights.storage.data() + at, part, at);
    if (progress)
      progress("moving to the device", static_cast<double>(at + part) / static_cast<double>(bytes));
  }
  lay_out(weights, static_cast<std::byte*>(weights.device_storage.view().data));
  weights.storage = Buffer();
  weights.device = device;
  return weights;
}

Weights load_weights(const ModelSource& source, Dtype dtype, const Progress& progress, int vocab) {
  if (!source.synthetic()) return read_weights(source.directory, source.config, dtype, progress, vocab);
  Config config = source.config;
  config.vocab = std::max(config.vocab, vocab);
  return synthetic_weights(config, dtype, kSyntheticSeed, progress);
}

}  // namespace trisect::phi2
