// Address space first, memory later: what lets a sequence lie contiguously without owning its maximum length.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string_view>
#include <vector>

#include "kernels/core/op.hpp"

namespace trisect::vattention {

/// The unit in which memory is committed. kHuge is 2 MiB: an eighth of the cost a byte where the kernel has
/// such pages at hand, and up to 2 MiB of each segment's end unused.
enum class Granule { kSmall, kHuge };
std::size_t bytes_of(Granule granule);      ///< the system's page size, or 2 MiB
std::string_view name_of(Granule granule);  ///< "4KiB" (or the system's page), "2MiB"

/// Whether transparent huge pages can be asked for on this machine.
Availability has_huge_pages();

/// How memory gets behind addresses: in one call (Linux 5.14 and later; earlier ones are touched page by
/// page), by touching each page, or by whoever writes there first.
enum class Commit { kPopulate, kTouch, kOnFirstWrite };

/// `segments` stretches of addresses, equally long and stride() apart, in one reservation that costs no
/// memory: bytes are unreadable until committed, then zero.
///
/// Memory management is the kernel's: mmap(PROT_NONE, MAP_NORESERVE), mprotect up to one watermark for each
/// segment, MADV_POPULATE_WRITE, MADV_DONTNEED. So at most 2 * segments + 1 kernel mappings exist, whatever
/// is committed and decommitted in between. After Prabhu et al., "vAttention: Dynamic Memory Management for
/// Serving LLMs without PagedAttention", ASPLOS 2025, which does this with the driver calls of a GPU.
///
/// Threads may work on different segments at the same time, on one segment one at a time. A child made by
/// fork() has none of it: there, commit() throws.
class VirtualRange {
 public:
  /// Throws Error: kUsage for an empty range, kEnvironment when the addresses cannot be had (ulimit -v) or
  /// the machine has no huge pages.
  VirtualRange(int segments, std::size_t segment_bytes, Granule granule);
  ~VirtualRange();
  VirtualRange(const VirtualRange&) = delete;
  VirtualRange& operator=(const VirtualRange&) = delete;

  std::byte* segment(int index) const { return base_ + static_cast<std::size_t>(index) * stride_; }
  int segments() const { return static_cast<int>(writable_.size()); }
  std::size_t stride() const { return stride_; }  ///< segment_bytes, rounded up to granules
  std::size_t granule() const { return granule_; }
  std::size_t reserved() const { return stride_ * writable_.size(); }
  std::size_t round_up(std::size_t bytes) const { return (bytes + granule_ - 1) / granule_ * granule_; }

  /// Makes bytes [first, last) of a segment, rounded outwards to granules, readable and writable, with memory
  /// behind them; what was committed before keeps its content. Throws Error(kEnvironment) when the kernel
  /// refuses; then nothing is committed that was not before, provided that [first, last) was not.
  void commit(int segment, std::size_t first, std::size_t last, Commit how = Commit::kPopulate);

  /// Gives the memory behind bytes [first, last) of a segment, rounded inwards to granules, back to the
  /// system. They read as zero from then on. Throws Error(kEnvironment) when the kernel refuses.
  void decommit(int segment, std::size_t first, std::size_t last);

  /// What the kernel holds for this range: see resident_bytes().
  std::size_t resident() const;

 private:
  void populate(std::byte* first, std::size_t bytes, Commit how);
  void require_owner() const;

  std::size_t granule_, stride_;
  std::byte* base_ = nullptr;
  std::size_t mapped_;                 // the segments and a guard that is never committed
  std::vector<std::size_t> writable_;  // by segment: bytes from its start
  pid_t owner_;
};

/// Bytes of memory behind [begin, begin + bytes) by the kernel's own account: Rss less LazyFree of the
/// mappings in /proc/self/smaps that lie within. (mincore would count pages that were only read.) Takes a
/// pass over all mappings of the process. Throws Error(kEnvironment) when the file cannot be read.
std::size_t resident_bytes(const std::byte* begin, std::size_t bytes);

}  // namespace trisect::vattention
