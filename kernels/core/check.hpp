// Comparing what a kernel wrote with what it should have written.
#pragma once

#include <string>

#include "kernels/core/view.hpp"

namespace trisect {

enum class CheckStatus { kPass, kFail, kMistrusted };

/// `error` is the relative L2 norm of the difference, |got - want| / |want|, over all elements.
struct Check {
  CheckStatus status = CheckStatus::kFail;
  double error = 0;
  double tolerance = 0;
  std::string detail;  ///< why it is not a pass; names the first differing element
};

/// Floating views of one shape. NaN and infinities must stand in the same places. A comparison in which 90 % or more
/// of the wanted values are zero proves little and is mistrusted when it would pass.
Check check_close(const View& got, const View& want, double tolerance);

/// Bit for bit, any dtype. `tolerance` of the result is zero.
Check check_equal(const View& got, const View& want);

/// The worse of two: fail before mistrusted before pass.
Check worse(Check a, Check b);

}  // namespace trisect
