#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "integration/phi2/model/safetensors.hpp"
#include "kernels/core/error.hpp"

namespace trisect::phi2 {
namespace {

/// A file under a temporary name, which commit() makes the real one; without it nothing stays behind.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::filesystem::path path)
      : path_(std::move(path)), temporary_(fmt::format("{}.{}.tmp", path_.string(), getpid())) {
    file_ = open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file_ < 0) fail();
  }
  ~TemporaryFile() {
    if (file_ >= 0) close(file_);
    if (!committed_) unlink(temporary_.c_str());
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  void write(const void* data, std::size_t bytes) {
    for (const auto* at = static_cast<const std::byte*>(data); bytes > 0;) {
      const ssize_t written = ::write(file_, at, bytes);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) fail();
      at += written;
      bytes -= static_cast<std::size_t>(written);
    }
  }

  void commit(bool durable) {
    if (durable && fsync(file_) != 0) fail();
    const int file = std::exchange(file_, -1);
    if (close(file) != 0 || std::rename(temporary_.c_str(), path_.c_str()) != 0) fail();
    committed_ = true;
  }

 private:
  [[noreturn]] void fail() const {
    environment_error("{}: cannot write: {}", path_.string(), std::strerror(errno));
  }

  std::filesystem::path path_;
  std::string temporary_;
  int file_ = -1;
  bool committed_ = false;
};

const char* stored_name(Dtype type) {
  switch (type) {
    case Dtype::kF32:
      return "F32";
    case Dtype::kBf16:
      return "BF16";
    case Dtype::kF16:
      return "F16";
    case Dtype::kI32:
      return "I32";
  }
  return "";
}

std::string header_of(std::span<const NamedTensor> tensors, const Metadata& metadata) {
  nlohmann::ordered_json header;
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::size_t offset = 0;
  for (const NamedTensor& tensor : tensors) {
    const View& values = tensor.values;
    const std::vector<std::int64_t> matrix{values.rows, values.cols};
    header[tensor.name] = {{"dtype", stored_name(values.dtype)},
                           {"shape", tensor.shape.empty() ? matrix : tensor.shape},
                           {"data_offsets", {offset, offset + values.bytes()}}};
    offset += values.bytes();
  }
  std::string text = header.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  // Spaces up to a cache line, so that a reader that maps the file finds the data aligned.
  constexpr std::size_t kAlignment = 64;
  while ((sizeof(std::uint64_t) + text.size()) % kAlignment != 0) text += ' ';
  return text;
}

}  // namespace

void write_safetensors(const std::filesystem::path& path, std::span<const NamedTensor> tensors,
                       const Metadata& metadata, bool durable) {
  const std::string header = header_of(tensors, metadata);
  const std::uint64_t length = header.size();
  TemporaryFile file(path);
  file.write(&length, sizeof length);
  file.write(header.data(), header.size());
  for (const NamedTensor& tensor : tensors) {
    const View& values = tensor.values;
    if (values.contiguous()) {
      file.write(values.data, values.bytes());
      continue;
    }
    for (std::int64_t r = 0; r < values.rows; ++r)
      file.write(values.byte_row(r), values.rows_from(r, 1).bytes());
  }
  file.commit(durable);
}

}  // namespace trisect::phi2
