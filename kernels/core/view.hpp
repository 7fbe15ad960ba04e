// A matrix somewhere in memory: not owned, row-major, rows a fixed number of elements apart.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "kernels/core/dtype.hpp"

namespace trisect {

template <class T>
constexpr Dtype dtype_of() {
  using U = std::remove_cv_t<T>;
  if constexpr (std::is_same_v<U, float>) return Dtype::kF32;
  if constexpr (std::is_same_v<U, bf16>) return Dtype::kBf16;
  if constexpr (std::is_same_v<U, f16>) return Dtype::kF16;
  if constexpr (std::is_same_v<U, std::int32_t>) return Dtype::kI32;
}

struct View {
  void* data = nullptr;
  Dtype dtype = Dtype::kF32;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::int64_t stride = 0;  ///< elements from one row to the next, >= cols

  View() = default;
  View(void* p, Dtype type, std::int64_t r, std::int64_t c, std::int64_t s = 0)
      : data(p), dtype(type), rows(r), cols(c), stride(s == 0 ? c : s) {}
  template <class T>
  static View of(T* p, std::int64_t r, std::int64_t c, std::int64_t s = 0) {
    return View(const_cast<std::remove_const_t<T>*>(p), dtype_of<T>(), r, c, s);
  }

  /// The elements of a row, as the type they are stored in.
  template <class T>
  T* row(std::int64_t r = 0) const {
    assert(dtype_of<T>() == dtype && r >= 0 && r < (rows > 0 ? rows : 1));
    return static_cast<T*>(data) + r * stride;
  }
  std::byte* byte_row(std::int64_t r) const {
    return static_cast<std::byte*>(data) + static_cast<std::size_t>(r * stride) * size_of(dtype);
  }
  View rows_from(std::int64_t first, std::int64_t count) const {
    return View(byte_row(first), dtype, count, cols, stride);
  }
  View columns(std::int64_t first, std::int64_t count) const {
    return View(static_cast<std::byte*>(data) + static_cast<std::size_t>(first) * size_of(dtype), dtype, rows, count,
                stride);
  }
  std::size_t bytes() const { return static_cast<std::size_t>(rows * cols) * size_of(dtype); }
  bool contiguous() const { return stride == cols || rows <= 1; }
  explicit operator bool() const { return data != nullptr; }
};

}  // namespace trisect
