// Address space first, memory later: what lets a sequence lie contiguously without owning its maximum length.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <string_view>

#include "kernels/core/op.hpp"

namespace trisect::vattention {

/// The unit in which memory is committed. On the CPU kHuge is 2 MiB: an eighth of the cost a byte where the
/// kernel has such pages at hand, and up to 2 MiB of each segment's end unused. On a GPU the driver names
/// both, the least it can do and what it recommends: 2 MiB each on the devices of today.
enum class Granule { kSmall, kHuge };
std::size_t bytes_of(Granule granule, Device device = Device::kCpu);  ///< may throw as VirtualRange does
std::string_view name_of(Granule granule);  ///< of the CPU: "4KiB" (or the system's page), "2MiB"

/// Whether transparent huge pages can be asked for on this machine.
Availability has_huge_pages();

/// How memory gets behind addresses: in one call (Linux 5.14 and later; earlier ones are touched page by
/// page), by touching each page, or by whoever writes there first, which a GPU has no way to do. There, the
/// first two are the same.
enum class Commit { kPopulate, kTouch, kOnFirstWrite };

/// Where decommitted memory goes: back to the system, or to the next commit of the same range, which it makes
/// fast on a GPU. The CPU has no use for the second.
enum class Decommit { kReturn, kKeep };

class RangeBacking;

/// `segments` stretches of addresses, equally long and stride() apart, in one reservation that costs no
/// memory: bytes are unreadable until committed, then zero.
///
/// Memory management is the kernel's or the driver's:
///   CPU   mmap(PROT_NONE, MAP_NORESERVE), mprotect up to one watermark for each segment,
///         MADV_POPULATE_WRITE, MADV_DONTNEED. So at most 2 * segments + 1 kernel mappings exist, whatever is
///         committed and decommitted in between.
///   CUDA  cuMemAddressReserve; cuMemCreate, cuMemMap for each granule and cuMemSetAccess once for each
///   commit;
///         cuMemUnmap, cuMemRelease. The host can touch none of it.
/// After Prabhu et al., "vAttention: Dynamic Memory Management for Serving LLMs without PagedAttention",
/// ASPLOS 2025, which does this with the driver calls of a GPU.
///
/// Threads may work on different segments at the same time, on one segment one at a time. On CUDA what is
/// queued (zeros, copies) goes to the calling thread's cuda::current_stream(), in its order. A child made by
/// fork() has none of it: there, commit() throws.
class VirtualRange {
 public:
  /// Throws Error: kUsage for an empty range, kEnvironment when the addresses cannot be had (ulimit -v) or
  /// the machine has no huge pages, or no such device.
  VirtualRange(int segments, std::size_t segment_bytes, Granule granule, Device device = Device::kCpu);
  ~VirtualRange();
  VirtualRange(const VirtualRange&) = delete;
  VirtualRange& operator=(const VirtualRange&) = delete;

  std::byte* segment(int index) const { return base_ + static_cast<std::size_t>(index) * stride_; }
  int segments() const { return segments_; }
  std::size_t stride() const { return stride_; }  ///< segment_bytes, rounded up to granules
  std::size_t granule() const { return granule_; }
  std::size_t reserved() const { return stride_ * static_cast<std::size_t>(segments_); }
  std::size_t round_up(std::size_t bytes) const { return (bytes + granule_ - 1) / granule_ * granule_; }

  /// Makes bytes [first, last) of a segment, rounded outwards to granules, readable and writable, with memory
  /// behind them; what was committed before keeps its content. Throws Error(kEnvironment) when the kernel or
  /// the driver refuses; then nothing is committed that was not before, provided that [first, last) was not.
  void commit(int segment, std::size_t first, std::size_t last, Commit how = Commit::kPopulate);

  /// Gives the memory behind bytes [first, last) of a segment, rounded inwards to granules, back. They read
  /// as zero once they are committed again; on the CPU at once. On CUDA it waits for what the calling thread
  /// has queued; what other threads have queued must not use them: see await(). Throws Error(kEnvironment)
  /// when the kernel or the driver refuses.
  void decommit(int segment, std::size_t first, std::size_t last, Decommit to = Decommit::kReturn);
  /// Returns what decommit() kept and no commit() has used; what the driver refuses to take back stays in
  /// resident().
  void trim() noexcept;

  /// Zeros over committed bytes of this range; a copy between bytes of it that do not overlap. On CUDA
  /// queued.
  void zero(std::byte* first, std::size_t bytes);
  void copy(std::byte* to, const std::byte* from, std::size_t bytes);

  /// What the calling thread has queued so far, and waiting for it: nothing, on the CPU. Null has passed.
  using Moment = std::shared_ptr<const void>;
  Moment now() const;
  void await(const Moment& moment) const;

  /// What the kernel holds for this range: see resident_bytes(). On CUDA, what the driver was asked for and
  /// has not been given back, memory kept by decommit() included.
  std::size_t resident() const;

 private:
  void require_owner() const;
  void require_within(int segment, std::size_t first, std::size_t last, const char* what) const;

  int segments_;
  std::size_t granule_ = 0, stride_ = 0;
  pid_t owner_;
  std::unique_ptr<RangeBacking> backing_;
  std::byte* base_ = nullptr;
};

/// Bytes of memory behind [begin, begin + bytes) by the kernel's own account: Rss less LazyFree of the
/// mappings in /proc/self/smaps that lie within. (mincore would count pages that were only read.) Takes a
/// pass over all mappings of the process. Throws Error(kEnvironment) when the file cannot be read.
std::size_t resident_bytes(const std::byte* begin, std::size_t bytes);

}  // namespace trisect::vattention
