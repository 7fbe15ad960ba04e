#include "integration/phi2/engine/panels.hpp"

namespace trisect::phi2 {

void copy(const View& from, const View& to) {
#pragma omp parallel for schedule(static) if (from.rows > 1)
  for (std::int64_t r = 0; r < from.rows; ++r) {
    convert(from.byte_row(r), from.dtype, to.byte_row(r), to.dtype, static_cast<std::size_t>(from.cols));
  }
}

Buffer converted(const View& from, Dtype type) {
  Buffer to(type, from.rows, from.cols);
  copy(from, to.view());
  return to;
}

Buffer transposed(const View& from) {
  Buffer to(Dtype::kF32, from.cols, from.rows);
#pragma omp parallel for schedule(static)
  for (std::int64_t r = 0; r < from.cols; ++r) {
    for (std::int64_t c = 0; c < from.rows; ++c) to.view().row<float>(r)[c] = from.row<float>(c)[r];
  }
  return to;
}

}  // namespace trisect::phi2
