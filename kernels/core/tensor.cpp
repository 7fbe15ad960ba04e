#include "kernels/core/tensor.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include "kernels/core/error.hpp"

namespace trisect {
namespace {

std::shared_ptr<void> allocate(std::size_t bytes) {
  DeviceMemory& memory = cuda_memory();
  try {
    return {memory.allocate(bytes), [&memory](void* data) { memory.release(data); }};
  } catch (const Error& error) {
    environment_error("{:.1f} MB do not fit into the memory of {}: {}", static_cast<double>(bytes) / 1e6,
                      cuda_facts().name, error.what());
  }
}

}  // namespace

Tensor::Tensor(Device device, Dtype type, std::int64_t rows, std::int64_t cols) : device_(device) {
  if (device == Device::kCpu) {
    host_ = Buffer(type, rows, cols);
    view_ = host_.view();
    return;
  }
  view_ = View(nullptr, type, rows, cols);
  memory_ = allocate(view_.bytes());
  view_.data = memory_.get();
  const std::vector<std::byte> zeros(std::min<std::size_t>(bytes(), std::size_t{1} << 20));
  for (std::size_t at = 0; at < bytes(); at += zeros.size())
    upload(zeros.data(), std::min(zeros.size(), bytes() - at), at);
}

void Tensor::upload(const void* from, std::size_t bytes, std::size_t offset) const {
  std::byte* const to = static_cast<std::byte*>(view_.data) + offset;
  if (bytes == 0) return;
  device_ == Device::kCpu ? void(std::memcpy(to, from, bytes)) : cuda_memory().upload(to, from, bytes);
}

void Tensor::download(void* to, std::size_t bytes) const {
  if (bytes == 0) return;
  device_ == Device::kCpu ? void(std::memcpy(to, view_.data, bytes))
                          : cuda_memory().download(to, view_.data, bytes);
}

}  // namespace trisect
