#include "integration/phi2/model/mapped_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "kernels/core/error.hpp"

namespace trisect::phi2 {
namespace {

std::size_t page_size() {
  static const std::size_t size = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return size;
}

/// The pages that hold any of [offset, offset + length).
int advise(std::span<const std::byte> bytes, std::size_t offset, std::size_t length, int advice) {
  const std::size_t begin = offset / page_size() * page_size();
  void* address = const_cast<std::byte*>(bytes.data()) + begin;
  return madvise(address, offset + length - begin, advice) == 0 ? 0 : errno;
}

}  // namespace

MappedFile::MappedFile(std::filesystem::path path) : path_(std::move(path)) {
  // Without O_NONBLOCK a named pipe would wait for a writer.
  const int file = open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) environment_error("{}: cannot open: {}", path_.string(), std::strerror(errno));
  struct stat status {};
  const bool known = fstat(file, &status) == 0;
  const std::size_t size = known && S_ISREG(status.st_mode) ? static_cast<std::size_t>(status.st_size) : 0;
  void* data = size == 0 ? MAP_FAILED : mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
  const int error = errno;
  close(file);
  if (!known || !S_ISREG(status.st_mode)) environment_error("{}: not a regular file", path_.string());
  if (size == 0) environment_error("{}: the file is empty; fetch it again", path_.string());
  if (data == MAP_FAILED) environment_error("{}: cannot map: {}", path_.string(), std::strerror(error));
  bytes_ = {static_cast<const std::byte*>(data), size};
}

MappedFile::~MappedFile() { munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size()); }

void MappedFile::read_ahead(std::size_t offset, std::size_t length) const noexcept {
  advise(bytes_, offset, length, MADV_WILLNEED);
}

bool MappedFile::populate(std::size_t offset, std::size_t length) const noexcept {
  // Kernels before 5.14 do not know the request; there the pages come as they are touched.
  const int error = advise(bytes_, offset, length, MADV_POPULATE_READ);
  return error == 0 || error == EINVAL;
}

void MappedFile::drop(std::size_t offset, std::size_t length) const noexcept {
  const std::size_t begin = (offset + page_size() - 1) / page_size() * page_size();
  const std::size_t end = (offset + length) / page_size() * page_size();
  if (begin < end) advise(bytes_, begin, end - begin, MADV_DONTNEED);
}

}  // namespace trisect::phi2
