#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <vector>

#include "kernels/core/error.hpp"
#include "kernels/vattention/range_backing.hpp"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23  // newer than the C library's headers
#endif

namespace trisect::vattention {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;

std::size_t page_size() {
  static const std::size_t size = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return size;
}

std::byte* aligned_up(void* address, std::size_t unit) {
  const auto at = reinterpret_cast<std::size_t>(address);
  return reinterpret_cast<std::byte*>((at + unit - 1) / unit * unit);
}

/// Writes to every page and changes nothing.
void touch(std::byte* first, std::size_t bytes) {
  for (std::size_t at = 0; at < bytes; at += page_size()) {
    std::atomic_ref<unsigned char>(*reinterpret_cast<unsigned char*>(first + at)).fetch_or(0);
  }
}

}  // namespace

std::size_t bytes_of(Granule granule, Device device) {
  if (device == Device::kCpu) return granule == Granule::kHuge ? kHugePage : page_size();
  if constexpr (kCudaBuild) return cuda_granule(granule);
  environment_error("{}", why_no_cuda());
}

std::string_view name_of(Granule granule) {
  static const std::string small = fmt::format("{}KiB", page_size() / 1024);
  return granule == Granule::kHuge ? std::string_view("2MiB") : std::string_view(small);
}

Availability has_huge_pages() {
  constexpr char kSwitch[] = "/sys/kernel/mm/transparent_hugepage/enabled";
  std::ifstream file(kSwitch);
  std::string modes;
  std::getline(file, modes);
  if (modes.find("[always]") != std::string::npos || modes.find("[madvise]") != std::string::npos) return {};
  return {
      fmt::format("no transparent huge pages: {} says '{}', it takes 'madvise' or 'always'", kSwitch, modes)};
}

namespace {

class CpuBacking final : public RangeBacking {
 public:
  CpuBacking(int segments, std::size_t stride, Granule granule)
      : granule_(bytes_of(granule)), stride_(stride), writable_(static_cast<std::size_t>(segments), 0) {
    if (granule == Granule::kHuge) {
      if (const Availability yes = has_huge_pages(); !yes) environment_error("{}", yes.why_not);
    }
    mapped_ = stride_ * writable_.size() + page_size();
    const std::size_t asked = mapped_ + (granule_ > page_size() ? granule_ : 0);
    void* raw = mmap(nullptr, asked, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (raw == MAP_FAILED) {
      environment_error(
          "cannot reserve {:.1f} MB of address space: {}; raise ulimit -v, or ask for fewer slots or tokens",
          static_cast<double>(asked) / 1e6, std::strerror(errno));
    }
    base_ = aligned_up(raw, granule_);
    const auto head = static_cast<std::size_t>(base_ - static_cast<std::byte*>(raw));
    if (head > 0) munmap(raw, head);
    const auto tail = static_cast<std::size_t>(static_cast<std::byte*>(raw) + asked - (base_ + mapped_));
    if (tail > 0) munmap(base_ + mapped_, tail);
    // A child would share pages until either side writes: the parent would pay a copy for each, and memory
    // would double.
    madvise(base_, mapped_, MADV_DONTFORK);
    // Without the second, a machine that gives huge pages unasked commits 2 MiB for the first byte.
    madvise(base_, mapped_, granule == Granule::kHuge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
  }
  ~CpuBacking() override { munmap(base_, mapped_); }
  CpuBacking(const CpuBacking&) = delete;
  CpuBacking& operator=(const CpuBacking&) = delete;

  std::byte* base() const override { return base_; }

  void commit(int segment, std::size_t first, std::size_t last, Commit how) override {
    std::byte* start = segment_start(segment);
    std::size_t& writable = writable_[static_cast<std::size_t>(segment)];
    if (last > writable) {
      if (mprotect(start + writable, last - writable, PROT_READ | PROT_WRITE) != 0) {
        environment_error(
            "cannot make {} bytes of a KV cache writable: {}; see ulimit -d, vm.overcommit_memory and "
            "vm.max_map_count",
            last - writable, std::strerror(errno));
      }
      writable = last;
    }
    populate(start + first, last - first, how);
  }

  void decommit(int segment, std::size_t first, std::size_t last, Decommit) override {
    last = std::min(last, writable_[static_cast<std::size_t>(segment)]);
    if (first >= last) return;
    // The watermark stays where it is: taking access back would split mappings, of which a process has 65530.
    if (madvise(segment_start(segment) + first, last - first, MADV_DONTNEED) != 0) {
      environment_error("cannot decommit {} bytes of a KV cache: {}", last - first, std::strerror(errno));
    }
  }
  void trim() noexcept override {}

  void zero(std::byte* first, std::size_t bytes) override { std::memset(first, 0, bytes); }
  void copy(std::byte* to, const std::byte* from, std::size_t bytes) override {
    std::memcpy(to, from, bytes);
  }
  VirtualRange::Moment now() const override { return nullptr; }
  void await(const VirtualRange::Moment&) const override {}
  std::size_t resident() const override { return resident_bytes(base_, mapped_); }

 private:
  std::byte* segment_start(int segment) const { return base_ + static_cast<std::size_t>(segment) * stride_; }
  static void populate(std::byte* first, std::size_t bytes, Commit how);

  const std::size_t granule_, stride_;
  std::vector<std::size_t> writable_;  // by segment: bytes from its start
  std::size_t mapped_;                 // the segments and a guard that is never committed
  std::byte* base_ = nullptr;
};

void CpuBacking::populate(std::byte* first, std::size_t bytes, Commit how) {
  if (how == Commit::kOnFirstWrite) return;
  if (how == Commit::kPopulate) {
    int status = 0;
    do status = madvise(first, bytes, MADV_POPULATE_WRITE);
    while (status != 0 && (errno == EINTR || errno == EAGAIN));
    if (status == 0) return;
    if (errno != EINVAL) {  // EINVAL: the kernel is older than the call
      const int reason = errno;
      madvise(first, bytes, MADV_DONTNEED);
      environment_error(
          "cannot commit {} bytes of a KV cache: {}; lower the batch, the context or the budget", bytes,
          std::strerror(reason));
    }
  }
  touch(first, bytes);
}

}  // namespace

std::unique_ptr<RangeBacking> reserve_cpu(int segments, std::size_t stride, Granule granule) {
  return std::make_unique<CpuBacking>(segments, stride, granule);
}

std::size_t resident_bytes(const std::byte* begin, std::size_t bytes) {
  std::ifstream smaps("/proc/self/smaps");
  if (!smaps) environment_error("cannot read /proc/self/smaps: is /proc mounted?");
  const auto low = reinterpret_cast<std::size_t>(begin), high = low + bytes;
  std::size_t rss_kb = 0, lazy_kb = 0;
  bool within = false;
  for (std::string line; std::getline(smaps, line);) {
    std::size_t from = 0, to = 0, value = 0;
    if (std::sscanf(line.c_str(), "%zx-%zx ", &from, &to) == 2) {
      within = from >= low && to <= high;
    } else if (within && std::sscanf(line.c_str(), "Rss: %zu kB", &value) == 1) {
      rss_kb += value;
    } else if (within && std::sscanf(line.c_str(), "LazyFree: %zu kB", &value) == 1) {
      lazy_kb += value;
    }
  }
  return (rss_kb - lazy_kb) * 1024;
}

}  // namespace trisect::vattention
