// All tensors of a model directory, wherever its files keep them.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "integration/phi2/model/safetensors.hpp"

namespace trisect::phi2 {

/// Opens model.safetensors, or the shards that model.safetensors.index.json lists (the former wins when both
/// are there, as in transformers). In a directory with overlay.json the tensors that are not there are those
/// of the base model that it names. Throws Error(kEnvironment) when neither exists, when a shard is missing or
/// named outside the directory, and when index and shards disagree on where a tensor is.
class Checkpoint {
 public:
  struct Entry {
    const SafetensorsFile* file;
    const StoredTensor* tensor;
  };

  explicit Checkpoint(const std::filesystem::path& directory);

  const std::map<std::string, Entry>& tensors() const { return tensors_; }
  /// The file that lists the tensors: where a missing one should have been.
  const std::filesystem::path& listing() const { return listing_; }

 private:
  void open_all(const std::filesystem::path& directory);
  const SafetensorsFile& open(const std::filesystem::path& path);
  void open_shards(const std::filesystem::path& directory);

  std::filesystem::path listing_;
  std::vector<std::unique_ptr<SafetensorsFile>> files_;
  std::map<std::string, Entry> tensors_;
};

}  // namespace trisect::phi2
