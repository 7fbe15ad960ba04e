// What a virtual range asks of the device whose memory it is. VirtualRange checks and rounds before it asks.
#pragma once

#include "kernels/vattention/virtual_range.hpp"

namespace trisect::vattention {

/// Bounds are bytes from a segment's start, whole granules, first < last. See VirtualRange.
class RangeBacking {
 public:
  virtual ~RangeBacking() = default;
  virtual std::byte* base() const = 0;
  virtual void commit(int segment, std::size_t first, std::size_t last, Commit how) = 0;
  virtual void decommit(int segment, std::size_t first, std::size_t last, Decommit to) = 0;
  virtual void trim() noexcept = 0;
  virtual void zero(std::byte* first, std::size_t bytes) = 0;
  virtual void copy(std::byte* to, const std::byte* from, std::size_t bytes) = 0;
  virtual VirtualRange::Moment now() const = 0;
  virtual void await(const VirtualRange::Moment& moment) const = 0;
  virtual std::size_t resident() const = 0;
};

std::unique_ptr<RangeBacking> reserve_cpu(int segments, std::size_t stride, Granule granule);
std::unique_ptr<RangeBacking> reserve_cuda(int segments, std::size_t stride, std::size_t granule);
std::size_t cuda_granule(Granule granule);

}  // namespace trisect::vattention
