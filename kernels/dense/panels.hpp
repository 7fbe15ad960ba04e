// Weights in panels of outputs, the layout of dense products: each thread reads them in one run while its
// sums stay in registers. A row of a panel is too short to be worth skipping, so LaRoSA's weights stay in
// whole rows.
#pragma once

#include "kernels/dense/row_kernel.hpp"

namespace trisect::dense {

/// Outputs of a panel: their sums fill half of the vector registers.
constexpr std::int64_t kPanelColumns = 256;

/// Whether weights of this type can be multiplied in panels on this machine: bf16, with vdpbf16ps.
Availability panels_run(Dtype weights);

/// Columns that a matrix takes in panels: whole cache lines, those past the last column zero.
constexpr std::int64_t panels_width(std::int64_t cols) { return (cols + 31) / 32 * 32; }

/// Copies w [in][out] to `panels`, in * panels_width(out) elements that do not overlap it: one panel after
/// the other, each [in][256], the last one as wide as what is left.
void to_panels(const View& w, bf16* panels);

/// The matrix that to_panels() made of w: a view of the same shape, whose data are panels.
inline View panels_of(const View& w, void* panels) {
  return {panels, w.dtype, w.rows, w.cols, panels_width(w.cols)};
}

/// A copy that it owns, as the `prepared` of the variants that want panels.
std::shared_ptr<void> copy_in_panels(const View& w);

/// product.w is panels_of() a matrix whose elements are all finite; `index` is null, `next` is not read. Any
/// number of tokens, meant for up to eight. Values are rounded to bf16, sums are f32 (denormals count as
/// zero).
void panel_product(const RowProduct& product);

}  // namespace trisect::dense
