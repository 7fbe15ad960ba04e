#include <algorithm>
#include <array>
#include <cmath>

#include "integration/phi2/model/content_hash.hpp"
#include "integration/phi2/model/weights.hpp"

namespace trisect::phi2 {
namespace {

constexpr std::int64_t kDraws = 4096;
constexpr std::int64_t kPicks = 4;  // from one 64-bit hash
constexpr float kBiasDeviation = 0.02f;

/// Picks from 4096 normal draws: a logarithm and a cosine for each of phi-2's 2.8 billion weights would take
/// minutes.
template <class T>
void fill_as(const View& view, Seed seed, float deviation) {
  std::array<T, kDraws> draws;
  fill_normal(View::of(draws.data(), 1, kDraws), derive(seed, 0), deviation);
  const std::int64_t groups = (view.cols + kPicks - 1) / kPicks;
#pragma omp parallel for schedule(static)
  for (std::int64_t r = 0; r < view.rows; ++r) {
    T* row = view.row<T>(r);
    for (std::int64_t g = 0; g < groups; ++g) {
      std::uint64_t bits = random_bits(seed, static_cast<std::uint64_t>(r * groups + g));
      for (std::int64_t c = g * kPicks; c < std::min(view.cols, (g + 1) * kPicks);
           ++c, bits >>= 64 / kPicks) {
        row[c] = draws[bits % kDraws];
      }
    }
  }
}

/// Fills one view after another, each from a seed of its own.
class Filler {
 public:
  explicit Filler(Seed seed) : seed_(seed) {}

  void random(const View& view, double deviation) {
    const Seed seed = derive(seed_, next_++);
    const float width = static_cast<float>(deviation);
    if (view.dtype == Dtype::kBf16) return fill_as<bf16>(view, seed, width);
    if (view.dtype == Dtype::kF16) return fill_as<f16>(view, seed, width);
    fill_as<float>(view, seed, width);
  }

 private:
  Seed seed_;
  std::uint64_t next_ = 0;
};

void ones(const View& view) { std::fill_n(view.row<float>(), view.cols, 1.0f); }

}  // namespace

Weights synthetic_weights(const Config& config, Dtype dtype, Seed seed, const Progress& progress) {
  Weights weights = allocate_weights(config, dtype);
  Filler fill(seed);
  const double steps = config.layers + 1.0;
  const double input = 1 / std::sqrt(config.hidden);
  const double residual = 1 / std::sqrt(2.0 * config.layers);
  for (std::size_t i = 0; i < weights.layers.size(); ++i) {
    const LayerWeights& layer = weights.layers[i];
    ones(layer.norm_gain);
    fill.random(layer.qkvh, input);
    fill.random(layer.qkvh_bias, kBiasDeviation);
    fill.random(layer.out.rows_from(0, config.hidden), residual * input);
    fill.random(layer.out.rows_from(config.hidden, config.intermediate),
                residual / std::sqrt(config.intermediate));
    fill.random(layer.out_bias, kBiasDeviation * residual);
    if (progress) progress("making weights", static_cast<double>(i + 1) / steps);
  }
  fill.random(weights.embedding, 1.0);
  ones(weights.final_gain);
  fill.random(weights.head, input);
  fill.random(weights.head_bias, kBiasDeviation);
  weights.hash = hash_name(hash_text(config.geometry(), derive(seed, 0)));
  if (progress) progress("making weights", 1.0);
  return weights;
}

}  // namespace trisect::phi2
