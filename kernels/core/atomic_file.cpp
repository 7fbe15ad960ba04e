#include "kernels/core/atomic_file.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>

#include "kernels/core/error.hpp"

namespace trisect {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, int error) {
  environment_error("cannot write {}: {}", path.string(), std::strerror(error));
}

/// 0 or errno.
int write_all(const std::filesystem::path& path, std::string_view content) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) return errno;
  errno = 0;
  const bool written = std::fwrite(content.data(), 1, content.size(), file) == content.size();
  const int error = written ? 0 : errno;
  // A full disk may show only when the buffer is flushed.
  return std::fclose(file) == 0 ? error : errno;
}

}  // namespace

void write_atomically(const std::filesystem::path& path, std::string_view content) {
  std::error_code ignored;
  const auto status = std::filesystem::status(path, ignored);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
    if (const int error = write_all(path, content); error != 0) fail(path, error);
    return;
  }
  std::filesystem::path temporary = path;
  temporary += ".partial";
  int error = write_all(temporary, content);
  if (error == 0 && std::rename(temporary.c_str(), path.c_str()) != 0) error = errno;
  if (error == 0) return;
  std::filesystem::remove(temporary, ignored);
  fail(path, error);
}

}  // namespace trisect
