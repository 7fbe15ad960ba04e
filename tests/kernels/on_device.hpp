// Arguments of a variant that runs on a device.
#pragma once

#include <memory>
#include <vector>

#include "kernels/core/device.hpp"

namespace trisect::testing {

/// A vector, or a copy of it in device memory.
template <class T>
class OnDevice {
 public:
  OnDevice(Device device, std::vector<T>& values) : data_(values.data()) {
    if (device == Device::kCpu) return;
    const std::size_t bytes = values.size() * sizeof(T);
    copy_ = std::shared_ptr<void>(cuda_memory().allocate(bytes), [](void* p) { cuda_memory().release(p); });
    cuda_memory().upload(copy_.get(), values.data(), bytes);
    data_ = static_cast<T*>(copy_.get());
  }
  T* get() const { return data_; }
  /// Back into the vector it was made from.
  void fetch(std::vector<T>& values) const {
    if (copy_ != nullptr) cuda_memory().download(values.data(), copy_.get(), values.size() * sizeof(T));
  }

 private:
  T* data_;
  std::shared_ptr<void> copy_;
};

}  // namespace trisect::testing
