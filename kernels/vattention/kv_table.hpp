// A table of places that the host writes and kernels read: see dense::KvSpan::table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "kernels/core/device.hpp"

namespace trisect::vattention {

/// The copy that a device has of a table.
class TableMirror {
 public:
  virtual ~TableMirror() = default;
  virtual const std::int32_t* data() const = 0;
  /// Queues entries [first, first + count) of `table`, which may change as soon as the call returns.
  virtual void upload(const std::int32_t* table, std::size_t first, std::size_t count) = 0;
};
std::unique_ptr<TableMirror> mirror_on_cuda(std::size_t size);

/// i32, zeros at first. The address of data() never changes, so captured graphs may hold it.
class KvTable {
 public:
  /// Throws Error(kEnvironment) without the device or memory on it.
  KvTable(Device device, std::size_t size);

  std::int32_t operator[](std::size_t index) const { return entries_[index]; }
  void set(std::size_t index, std::int32_t value);
  /// Kernels queued from now on (on CUDA: on cuda::current_stream()) read what was set.
  void publish();
  const std::int32_t* data() const { return mirror_ ? mirror_->data() : entries_.data(); }

 private:
  std::vector<std::int32_t> entries_;
  std::unique_ptr<TableMirror> mirror_;  // null on the CPU
  std::size_t first_ = 0, last_;         // changed since the last publish(): [first_, last_)
};

}  // namespace trisect::vattention
