// Editing stored matrices in f32, a panel at a time, so that no second copy of them is needed.
#pragma once

#include <algorithm>

#include "integration/phi2/engine/dense_projection.hpp"
#include "kernels/core/buffer.hpp"

namespace trisect::phi2 {

inline constexpr std::int64_t kPanel = 1024;  ///< rows or columns of a panel, about

/// Element by element, from and to any floating type; the shapes are the same.
void copy(const View& from, const View& to);

Buffer converted(const View& from, Dtype type);
Buffer transposed(const View& from);  ///< f32

/// For panels of whole columns, of a multiple of `unit` each: edit(panel, first column) sees the panel in
/// f32, and what it leaves, multiplied by `left` [rows][rows] if there is one, is rounded back into w.
template <class Edit>
void edit_columns(const View& w, std::int64_t unit, const View& left, Edit edit) {
  const std::int64_t width = std::min(w.cols, std::max(unit, kPanel / unit * unit));
  const Buffer panel(Dtype::kF32, w.rows, width), product(Dtype::kF32, left ? w.rows : 0, width);
  for (std::int64_t first = 0; first < w.cols; first += width) {
    const View part = w.columns(first, std::min(width, w.cols - first));
    const View wide = panel.view().columns(0, part.cols);
    copy(part, wide);
    edit(wide, first);
    if (left) multiply(left, wide, {}, product.view().columns(0, part.cols));
    copy(left ? product.view().columns(0, part.cols) : wide, part);
  }
}

/// The same for panels of whole rows, and a matrix [cols][cols] from the right.
template <class Edit>
void edit_rows(const View& w, std::int64_t unit, const View& right, Edit edit) {
  const std::int64_t height = std::min(w.rows, std::max(unit, kPanel / unit * unit));
  const Buffer panel(Dtype::kF32, height, w.cols), product(Dtype::kF32, right ? height : 0, w.cols);
  for (std::int64_t first = 0; first < w.rows; first += height) {
    const View part = w.rows_from(first, std::min(height, w.rows - first));
    const View wide = panel.view().rows_from(0, part.rows);
    copy(part, wide);
    edit(wide, first);
    if (right) multiply(wide, right, {}, product.view().rows_from(0, part.rows));
    copy(right ? product.view().rows_from(0, part.rows) : wide, part);
  }
}

}  // namespace trisect::phi2
