// The dense product with weights in a layout of its own: what a dense model could read at, if nothing else
// had to use its weights. Skipping rows is impossible in it, and it is a second copy.
#pragma once

#include <memory>

#include "kernels/core/op.hpp"

namespace trisect::dense {

/// w [in][out] bf16 as panels of 512 inputs, [in / 512][out][512], padded with zeros. Where
/// row_product_bf16_runs().
std::shared_ptr<void> pack_panels(const View& w);

/// y = x w (+ bias), or y += : 512 activations stay in registers, rounded to bf16, while the weights stream
/// by in one run a thread, with one dot product a cache line and nothing else.
void panel_product(const View& x, const void* panels, const View& bias, const View& y, bool accumulate);

}  // namespace trisect::dense
