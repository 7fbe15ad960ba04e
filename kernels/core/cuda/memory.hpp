// Owned memory: on the device, and on the host where the device can reach it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "kernels/core/view.hpp"

namespace trisect::cuda {

/// Memory that `release` takes back: owned, moved and never copied; nothing when default-constructed.
template <void* (*allocate)(std::size_t), void (*release)(void*) noexcept>
class OwnedMemory {
 public:
  OwnedMemory() = default;
  explicit OwnedMemory(std::size_t bytes) : data_(allocate(bytes == 0 ? 1 : bytes)), bytes_(bytes) {}
  OwnedMemory(OwnedMemory&& other) noexcept { swap(other); }
  OwnedMemory& operator=(OwnedMemory&& other) noexcept {
    swap(other);
    return *this;
  }
  ~OwnedMemory() {
    if (data_ != nullptr) release(data_);
  }

  std::byte* data() const { return static_cast<std::byte*>(data_); }
  std::size_t bytes() const { return bytes_; }
  template <class T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  void swap(OwnedMemory& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
  }
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

/// Throw CudaError(kEnvironment) when there is too little; of device memory with what was asked for and is free.
void* allocate_on_device(std::size_t bytes);
void* allocate_pinned(std::size_t bytes);
void release_on_device(void* memory) noexcept;
void release_pinned(void* memory) noexcept;

/// Device memory, aligned to 256 bytes, contents undefined.
using DeviceBuffer = OwnedMemory<allocate_on_device, release_on_device>;
/// Host memory that copies at full speed and without the host waiting.
using PinnedBuffer = OwnedMemory<allocate_pinned, release_pinned>;

}  // namespace trisect::cuda
