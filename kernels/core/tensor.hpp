// A matrix of its own, on whichever device computes with it.
#pragma once

#include <memory>

#include "kernels/core/buffer.hpp"
#include "kernels/core/device.hpp"

namespace trisect {

/// Zero-filled memory of a device, 64-byte aligned on the CPU and 256-byte aligned elsewhere. Throws
/// Error(kEnvironment) with the size when it cannot be had.
class Tensor {
 public:
  Tensor() = default;
  Tensor(Device device, Dtype type, std::int64_t rows, std::int64_t cols);
  Tensor(Buffer matrix) : host_(std::move(matrix)), view_(host_.view()) {}  // what a Buffer is on the CPU

  const View& view() const { return view_; }
  std::size_t bytes() const { return view_.bytes(); }

  /// The first elements, from and to the host. Complete when they return.
  void upload(const void* from, std::size_t bytes, std::size_t offset = 0) const;
  void download(void* to, std::size_t bytes) const;

 private:
  Device device_ = Device::kCpu;
  Buffer host_;
  std::shared_ptr<void> memory_;  // of another device
  View view_;
};

}  // namespace trisect
