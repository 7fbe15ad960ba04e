// A file mapped read-only, with control over which of its pages count as ours.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

namespace trisect::phi2 {

/// Throws Error(kEnvironment) when the file cannot be opened, is not a regular file or is empty. The hints
/// may be given from any thread; offsets and lengths are in bytes, inside the file.
class MappedFile {
 public:
  explicit MappedFile(std::filesystem::path path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::span<const std::byte> bytes() const { return bytes_; }

  /// Starts reading from the disk, without waiting.
  void read_ahead(std::size_t offset, std::size_t length) const noexcept;

  /// Reads and maps the pages, so that touching them cannot fault. False when the file lost them (it shrank,
  /// or the disk failed), where touching them would end the process.
  [[nodiscard]] bool populate(std::size_t offset, std::size_t length) const noexcept;

  /// Takes the whole pages inside the range out of the resident set. They can be read again.
  void drop(std::size_t offset, std::size_t length) const noexcept;

 private:
  std::filesystem::path path_;
  std::span<const std::byte> bytes_;
};

}  // namespace trisect::phi2
