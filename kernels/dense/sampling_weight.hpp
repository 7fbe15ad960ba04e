// The probability of a token as an integer, computed with integers and single roundings only: the same bits
// on the CPU and on a GPU, so that sums of weights do not depend on their order and a draw falls on the same
// token everywhere.
#pragma once

#include <cmath>
#include <cstdint>

#ifdef __CUDACC__
#define TRISECT_BOTH __host__ __device__
#else
#define TRISECT_BOTH
#endif

namespace trisect::dense {

/// Distances from the largest logit are counted in powers of two, 2^-26 each, up to 64 of them.
inline constexpr int kDistanceBits = 26;
/// The weight of the largest logit is 2^36 within 1e-8: no token below 1e-11 of it is ever drawn, and the sum
/// over 2^20 tokens is far from overflowing.
inline constexpr int kWeightBits = 36;
inline constexpr std::uint32_t kTooFar = ~std::uint32_t{0};

/// What a logit's distance is multiplied by; infinite for temperatures at which only the largest counts. The
/// factor 2 belongs to the halves below.
inline float scale_of(float temperature) { return 2.8853900818f / temperature; }

/// Rounded down; kTooFar for NaN. Halves, since the difference of two numbers may be infinite.
TRISECT_BOTH inline std::uint32_t distance_of(float logit, float largest, float scale) {
  const float x = (0.5f * largest - 0.5f * logit) * scale;
  return x < 64 ? static_cast<std::uint32_t>(x * static_cast<float>(1 << kDistanceBits)) : kTooFar;
}

/// Of u^k in the Taylor series of 2^-(u + 1/2), times 2^kWeightBits.
constexpr std::int64_t coefficient(int k) {
  double c = 0.70710678118654752 * static_cast<double>(std::int64_t{1} << kWeightBits);
  for (int i = 1; i <= k; ++i) c *= -0.69314718055994531 / i;
  return static_cast<std::int64_t>(c < 0 ? c - 0.5 : c + 0.5);
}

/// A variable, since device code may use its value, and may not call the function.
template <int kPower>
inline constexpr std::int64_t kCoefficient = coefficient(kPower);

template <int kPower = 0>
TRISECT_BOTH inline std::int64_t horner(std::int64_t u) {
  if constexpr (kPower == 8) {
    return kCoefficient<kPower>;
  } else {
    return kCoefficient<kPower> + ((horner<kPower + 1>(u) * u) >> kDistanceBits);
  }
}

/// 2^(kWeightBits - distance), rounded down: zero from kWeightBits powers of two on.
TRISECT_BOTH inline std::uint64_t weight_of(std::uint32_t distance) {
  constexpr std::uint32_t kOne = std::uint32_t{1} << kDistanceBits;
  const std::int64_t u = static_cast<std::int64_t>(distance & (kOne - 1)) - kOne / 2;
  return static_cast<std::uint64_t>(horner(u)) >> (distance >> kDistanceBits);
}

/// floor(a * b / 2^64)
TRISECT_BOTH inline std::uint64_t high_product(std::uint64_t a, std::uint64_t b) {
  const std::uint64_t low = (a & 0xffffffffu) * (b & 0xffffffffu);
  const std::uint64_t middle = (a >> 32) * (b & 0xffffffffu) + (low >> 32);
  const std::uint64_t other = (a & 0xffffffffu) * (b >> 32) + (middle & 0xffffffffu);
  return (a >> 32) * (b >> 32) + (middle >> 32) + (other >> 32);
}

/// How much of `total` the nucleus must reach: at least 1, at most all.
TRISECT_BOTH inline std::uint64_t nucleus_of(std::uint64_t total, float top_p) {
  const double wanted = std::ceil(static_cast<double>(top_p) * static_cast<double>(total));
  if (!(wanted < static_cast<double>(total))) return total;
  return wanted < 1 ? 1 : static_cast<std::uint64_t>(wanted);
}

}  // namespace trisect::dense
