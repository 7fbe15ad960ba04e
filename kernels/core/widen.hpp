// f16 to f32 by the processor's own conversion; for convert().
#pragma once

#include <cstddef>

#include "kernels/core/dtype.hpp"

namespace trisect {

/// Exact; signalling NaN becomes quiet.
void widen(const f16* from, float* to, std::size_t n);

}  // namespace trisect
