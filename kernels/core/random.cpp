#include "kernels/core/random.hpp"

#include <cmath>
#include <numbers>

namespace trisect {
namespace {

template <class T>
T narrow(float value) {
  if constexpr (std::is_same_v<T, float>) return value;
  if constexpr (std::is_same_v<T, bf16>) return to_bf16(value);
  if constexpr (std::is_same_v<T, f16>) return to_f16(value);
}

template <class T, class Generator>
void fill_as(const View& view, Generator generate) {
#pragma omp parallel for schedule(static)
  for (std::int64_t r = 0; r < view.rows; ++r) {
    T* row = view.row<T>(r);
    const std::uint64_t base = static_cast<std::uint64_t>(r) * static_cast<std::uint64_t>(view.cols);
    for (std::int64_t c = 0; c < view.cols; ++c) row[c] = narrow<T>(generate(base + static_cast<std::uint64_t>(c)));
  }
}

template <class Generator>
void fill(const View& view, Generator generate) {
  switch (view.dtype) {
    case Dtype::kF32: return fill_as<float>(view, generate);
    case Dtype::kBf16: return fill_as<bf16>(view, generate);
    case Dtype::kF16: return fill_as<f16>(view, generate);
    case Dtype::kI32: return;
  }
}

}  // namespace

void fill_uniform(const View& view, Seed seed, float stddev) {
  const float width = stddev * 2 * std::numbers::sqrt3_v<float>;
  fill(view, [=](std::uint64_t i) { return (random_unit(seed, i) - 0.5f) * width; });
}

void fill_normal(const View& view, Seed seed, float stddev) {
  fill(view, [=](std::uint64_t i) {
    const float u = 1.0f - random_unit(seed, 2 * i);  // (0, 1]: its logarithm is finite
    const float angle = 2 * std::numbers::pi_v<float> * random_unit(seed, 2 * i + 1);
    return stddev * std::sqrt(-2 * std::log(u)) * std::cos(angle);
  });
}

}  // namespace trisect
