#include "kernels/vattention/kv_table.hpp"

#include <algorithm>

#include "kernels/core/error.hpp"

namespace trisect::vattention {
namespace {

std::unique_ptr<TableMirror> mirror_on(Device device, std::size_t size) {
  if (device == Device::kCpu) return nullptr;
  if constexpr (kCudaBuild) return mirror_on_cuda(size);
  environment_error("{}", why_no_cuda());
}

}  // namespace

KvTable::KvTable(Device device, std::size_t size)
    : entries_(size, 0), mirror_(mirror_on(device, size)), last_(size) {
  publish();
}

void KvTable::set(std::size_t index, std::int32_t value) {
  entries_[index] = value;
  first_ = first_ == last_ ? index : std::min(first_, index);
  last_ = std::max(last_, index + 1);
}

void KvTable::publish() {
  if (mirror_ && first_ < last_) mirror_->upload(entries_.data(), first_, last_ - first_);
  first_ = last_ = 0;
}

}  // namespace trisect::vattention
