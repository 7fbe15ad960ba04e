#include "kernels/core/check.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <limits>

namespace trisect {
namespace {

constexpr double kMistrustedZeroShare = 0.9;

float value_at(const View& view, std::int64_t r, std::int64_t c) {
  switch (view.dtype) {
    case Dtype::kF32: return view.row<float>(r)[c];
    case Dtype::kBf16: return to_f32(view.row<bf16>(r)[c]);
    case Dtype::kF16: return to_f32(view.row<f16>(r)[c]);
    case Dtype::kI32: return static_cast<float>(view.row<std::int32_t>(r)[c]);
  }
  return 0;
}

bool same_shape(const View& a, const View& b) {
  return a.rows == b.rows && a.cols == b.cols && a.dtype == b.dtype;
}

Check shape_mismatch() { return {CheckStatus::kFail, std::numeric_limits<double>::max(), 0, "shapes differ"}; }

}  // namespace

Check check_close(const View& got, const View& want, double tolerance) {
  if (!same_shape(got, want)) return shape_mismatch();
  Check check{CheckStatus::kPass, 0, tolerance, ""};
  double difference = 0, norm = 0;
  std::int64_t zeros = 0;
  for (std::int64_t r = 0; r < want.rows; ++r) {
    for (std::int64_t c = 0; c < want.cols; ++c) {
      const float g = value_at(got, r, c), w = value_at(want, r, c);
      if (!std::isfinite(w) || !std::isfinite(g)) {
        if (g == w || (std::isnan(g) && std::isnan(w))) continue;
        return {CheckStatus::kFail, std::numeric_limits<double>::max(), tolerance,
                fmt::format("[{},{}] is {}, should be {}", r, c, g, w)};
      }
      zeros += w == 0;
      const double d = double{g} - double{w};
      difference += d * d;
      norm += double{w} * double{w};
    }
  }
  check.error = difference == 0 ? 0 : std::sqrt(difference / (norm > 0 ? norm : 1.0));
  const double count = static_cast<double>(want.rows * want.cols);
  if (!(check.error <= tolerance)) {
    check.status = CheckStatus::kFail;
    check.detail = fmt::format("relative error {:.3g} is above {:.3g}", check.error, tolerance);
  } else if (count > 0 && static_cast<double>(zeros) >= kMistrustedZeroShare * count) {
    check.status = CheckStatus::kMistrusted;
    check.detail = fmt::format("{} of {} expected values are zero", zeros, want.rows * want.cols);
  }
  return check;
}

Check check_equal(const View& got, const View& want) {
  if (!same_shape(got, want)) return shape_mismatch();
  const std::size_t row_bytes = static_cast<std::size_t>(want.cols) * size_of(want.dtype);
  for (std::int64_t r = 0; r < want.rows; ++r) {
    if (std::memcmp(got.byte_row(r), want.byte_row(r), row_bytes) == 0) continue;
    for (std::int64_t c = 0; c < want.cols; ++c) {
      const std::size_t at = static_cast<std::size_t>(c) * size_of(want.dtype);
      if (std::memcmp(got.byte_row(r) + at, want.byte_row(r) + at, size_of(want.dtype)) == 0) continue;
      return {CheckStatus::kFail, 1, 0,
              fmt::format("[{},{}] is {}, should be {}", r, c, value_at(got, r, c), value_at(want, r, c))};
    }
  }
  return {CheckStatus::kPass, 0, 0, ""};
}

Check worse(Check a, Check b) {
  const auto rank = [](const Check& check) {
    return check.status == CheckStatus::kFail ? 2 : check.status == CheckStatus::kMistrusted ? 1 : 0;
  };
  if (rank(a) != rank(b)) return rank(a) > rank(b) ? a : b;
  return a.error >= b.error ? a : b;
}

}  // namespace trisect
