// The safetensors format (huggingface/safetensors, README "Format"): eight bytes with the length of a JSON
// header, the header, then the tensors' bytes, little-endian and row-major.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "integration/phi2/model/mapped_file.hpp"
#include "kernels/core/view.hpp"

namespace trisect::phi2 {

using Metadata = std::map<std::string, std::string>;

/// One entry of a header. `dtype` is as the file spells it ("F16", "BF16", "I64", ...).
struct StoredTensor {
  std::string name, dtype;
  std::vector<std::int64_t> shape;
  std::size_t offset = 0;  ///< from the beginning of the file
  std::size_t bytes = 0;

  /// The floating types that are computed with here: F32, F16, BF16.
  std::optional<Dtype> floating() const;
  /// "F16 [2560, 10240]"
  std::string describe() const;
};

/// A file, mapped, whose header has been checked against the format's rules and the file's length: the
/// tensors cover the data without overlap or hole, and known types have as many bytes as their shape says. A
/// type that the format does not list passes, since it may be newer than this reader; only floating() decides
/// what is computed. Data may be at any byte, aligned to nothing. Throws Error(kEnvironment), one line with
/// the file.
class SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return file_.path(); }
  const std::vector<StoredTensor>& tensors() const { return tensors_; }  ///< in the order of the data
  const StoredTensor* find(std::string_view name) const;                 ///< or null
  const Metadata& metadata() const { return metadata_; }                 ///< the header's "__metadata__"
  const std::byte* data(const StoredTensor& tensor) const { return file_.bytes().data() + tensor.offset; }

  /// Takes the tensor's pages out of the resident set.
  void drop(const StoredTensor& tensor) const noexcept { file_.drop(tensor.offset, tensor.bytes); }
  /// For hints about parts of a tensor.
  const MappedFile& mapping() const { return file_; }

 private:
  MappedFile file_;
  std::vector<StoredTensor> tensors_;
  Metadata metadata_;
};

/// A tensor to be written. `shape` may be empty for a matrix; else its product is values.rows * values.cols.
struct NamedTensor {
  std::string name;
  View values;  ///< f32, bf16, f16 or i32; rows may be strided
  std::vector<std::int64_t> shape;
};

/// Writes a file beside `path` and renames it, so that `path` is whole or untouched; data is on the disk on
/// return unless `durable` is false, which is for files that need not outlive the machine. Throws
/// Error(kEnvironment) with the path and the system's reason (no such directory, permission, disk full).
void write_safetensors(const std::filesystem::path& path, std::span<const NamedTensor> tensors,
                       const Metadata& metadata = {}, bool durable = true);

}  // namespace trisect::phi2
