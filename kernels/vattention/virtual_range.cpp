#include "kernels/vattention/virtual_range.hpp"

#include <unistd.h>

#include "kernels/core/error.hpp"
#include "kernels/vattention/range_backing.hpp"

namespace trisect::vattention {
namespace {

std::unique_ptr<RangeBacking> reserve(int segments, std::size_t stride, Granule granule, Device device) {
  if (device == Device::kCpu) return reserve_cpu(segments, stride, granule);
  if constexpr (kCudaBuild) return reserve_cuda(segments, stride, bytes_of(granule, device));
  environment_error("{}", why_no_cuda());
}

}  // namespace

VirtualRange::VirtualRange(int segments, std::size_t segment_bytes, Granule granule, Device device)
    : segments_(segments), owner_(getpid()) {
  if (segments < 1 || segment_bytes == 0) {
    usage_error("a virtual range of {} segments of {} bytes: both must be positive", segments, segment_bytes);
  }
  granule_ = bytes_of(granule, device);
  if (segment_bytes > (SIZE_MAX / 4 - granule_) / static_cast<std::size_t>(segments)) {
    usage_error("{} segments of {} bytes exceed any address space", segments, segment_bytes);
  }
  stride_ = round_up(segment_bytes);
  backing_ = reserve(segments, stride_, granule, device);
  base_ = backing_->base();
}

VirtualRange::~VirtualRange() {
  if (getpid() != owner_) static_cast<void>(backing_.release());  // the parent's, and out of reach
}

void VirtualRange::require_owner() const {
  if (getpid() != owner_) {
    environment_error("a virtual range belongs to process {}: the one forked from it must make its own",
                      owner_);
  }
}

void VirtualRange::require_within(int segment, std::size_t first, std::size_t last, const char* what) const {
  require_owner();
  if (segment < 0 || segment >= segments_ || first > last || last > stride_) {
    usage_error("cannot {} bytes {} to {} of segment {}: there are {} segments of {} bytes", what, first,
                last, segment, segments_, stride_);
  }
}

void VirtualRange::commit(int segment, std::size_t first, std::size_t last, Commit how) {
  require_within(segment, first, last, "commit");
  if (first < last) backing_->commit(segment, first / granule_ * granule_, round_up(last), how);
}

void VirtualRange::decommit(int segment, std::size_t first, std::size_t last, Decommit to) {
  require_within(segment, first, last, "decommit");
  first = round_up(first);
  last = last / granule_ * granule_;
  if (first < last) backing_->decommit(segment, first, last, to);
}

void VirtualRange::trim() noexcept { backing_->trim(); }

void VirtualRange::zero(std::byte* first, std::size_t bytes) {
  if (bytes > 0) backing_->zero(first, bytes);
}

void VirtualRange::copy(std::byte* to, const std::byte* from, std::size_t bytes) {
  if (bytes > 0) backing_->copy(to, from, bytes);
}

VirtualRange::Moment VirtualRange::now() const { return backing_->now(); }

void VirtualRange::await(const Moment& moment) const {
  if (moment != nullptr) backing_->await(moment);
}

std::size_t VirtualRange::resident() const { return backing_->resident(); }

}  // namespace trisect::vattention
