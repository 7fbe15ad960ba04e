// Owned, zero-filled memory for tensors.
#pragma once

#include <cstddef>
#include <utility>

#include "kernels/core/view.hpp"

namespace trisect {

/// 64-byte aligned host memory. From 2 MiB up it is a private mapping for which huge pages are asked, so it is
/// committed only as it is touched. Throws Error(kEnvironment) with the size when memory cannot be had.
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::size_t bytes);
  Buffer(Dtype type, std::int64_t rows, std::int64_t cols)
      : Buffer(static_cast<std::size_t>(rows * cols) * size_of(type)) {
    view_ = View(data_, type, rows, cols);
  }
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Buffer();

  std::byte* data() const { return static_cast<std::byte*>(data_); }
  std::size_t bytes() const { return bytes_; }
  const View& view() const { return view_; }
  template <class T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  void swap(Buffer& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    std::swap(view_, other.view_);
  }

  void* data_ = nullptr;
  std::size_t bytes_ = 0;
  View view_;
};

/// Memory for intermediate results that grows and never shrinks, so that a warm kernel allocates nothing. One for each
/// thread, as `thread_local Scratch`; what it held is lost when it grows.
class Scratch {
 public:
  template <class T>
  T* reserve(std::int64_t count) {
    const std::size_t bytes = static_cast<std::size_t>(count) * sizeof(T);
    if (buffer_.bytes() < bytes) buffer_ = Buffer(bytes);
    return buffer_.as<T>();
  }

 private:
  Buffer buffer_;
};

}  // namespace trisect
