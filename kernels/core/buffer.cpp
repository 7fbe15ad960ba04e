#include "kernels/core/buffer.hpp"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>

#include "kernels/core/error.hpp"

namespace trisect {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kHugePage = std::size_t{2} << 20;

std::size_t round_up(std::size_t value, std::size_t unit) { return (value + unit - 1) / unit * unit; }
bool is_mapped(std::size_t bytes) { return bytes >= kHugePage; }

/// A mapping aligned to huge pages: reserve one page more and give the ends back.
void* map_aligned(std::size_t bytes) {
  const std::size_t size = round_up(bytes, kHugePage);
  void* raw = mmap(nullptr, size + kHugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (raw == MAP_FAILED) return nullptr;
  std::byte* begin = static_cast<std::byte*>(raw);
  std::byte* aligned = reinterpret_cast<std::byte*>(round_up(reinterpret_cast<std::size_t>(begin), kHugePage));
  const std::size_t head = static_cast<std::size_t>(aligned - begin);
  if (head > 0) munmap(begin, head);
  munmap(aligned + size, kHugePage - head);
  madvise(aligned, size, MADV_HUGEPAGE);
  return aligned;
}

}  // namespace

Buffer::Buffer(std::size_t bytes) : bytes_(bytes) {
  if (is_mapped(bytes)) {
    data_ = map_aligned(bytes);
  } else {
    const std::size_t size = round_up(bytes == 0 ? 1 : bytes, kAlignment);
    data_ = std::aligned_alloc(kAlignment, size);
    if (data_ != nullptr) std::memset(data_, 0, size);
  }
  if (data_ == nullptr) environment_error("out of memory: {} bytes for one buffer", bytes);
}

Buffer::~Buffer() {
  if (data_ == nullptr) return;
  if (is_mapped(bytes_)) {
    munmap(data_, round_up(bytes_, kHugePage));
  } else {
    std::free(data_);
  }
}

}  // namespace trisect
