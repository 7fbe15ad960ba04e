#include "integration/phi2/model/checkpoint.hpp"

#include "integration/phi2/model/json.hpp"
#include "integration/phi2/model/overlay.hpp"
#include "kernels/core/error.hpp"

namespace trisect::phi2 {

namespace fs = std::filesystem;

Checkpoint::Checkpoint(const fs::path& directory) {
  open_all(directory);
  const std::optional<Overlay> overlay = find_overlay(directory);
  if (!overlay) return;
  // Tensors point to where they are: the base's files stay as they were opened.
  Checkpoint base(overlay->base);
  for (auto& file : base.files_) files_.push_back(std::move(file));
  tensors_.insert(base.tensors_.begin(), base.tensors_.end());
}

void Checkpoint::open_all(const fs::path& directory) {
  std::error_code ignored;
  listing_ = directory / "model.safetensors";
  if (fs::exists(fs::symlink_status(listing_, ignored))) {
    open(listing_);
    return;
  }
  listing_ = directory / "model.safetensors.index.json";
  if (!fs::exists(fs::symlink_status(listing_, ignored))) {
    environment_error(
        "{}: neither model.safetensors nor model.safetensors.index.json; weights in another format must "
        "be saved again with transformers' save_pretrained()",
        directory.string());
  }
  open_shards(directory);
}

const SafetensorsFile& Checkpoint::open(const fs::path& path) {
  files_.push_back(std::make_unique<SafetensorsFile>(path));
  const SafetensorsFile& file = *files_.back();
  for (const StoredTensor& tensor : file.tensors()) {
    if (!tensors_.emplace(tensor.name, Entry{&file, &tensor}).second) {
      environment_error("{}: tensor {} is in another shard too; fetch the model again", path.string(),
                        in_quotes(tensor.name));
    }
  }
  return file;
}

void Checkpoint::open_shards(const fs::path& directory) {
  const nlohmann::json index = load_json(listing_);
  const auto map = index.is_object() ? index.find("weight_map") : index.end();
  if (map == index.end() || !map->is_object() || map->empty()) {
    environment_error("{}: no weight_map; fetch the file again", listing_.string());
  }
  std::map<std::string, const SafetensorsFile*> shards;
  for (const auto& [tensor, shard] : map->items()) {
    const std::string name = shard.is_string() ? shard.get<std::string>() : "";
    if (name.empty() || name == ".." || name.find('/') != name.npos || name.find('\0') != name.npos) {
      environment_error("{}: weight_map: {} is not in a file of this directory, but in {}", listing_.string(),
                        in_quotes(tensor), in_quotes(shard.dump()));
    }
    if (!shards.contains(name)) {
      std::error_code ignored;
      if (!fs::exists(directory / name, ignored)) {
        environment_error("{}: shard {} is missing in {}; fetch it", listing_.string(), in_quotes(name),
                          directory.string());
      }
      shards[name] = &open(directory / name);
    }
  }
  for (const auto& [tensor, shard] : map->items()) {
    const SafetensorsFile* file = shards[shard.get<std::string>()];
    const auto found = tensors_.find(tensor);
    if (found == tensors_.end() || found->second.file != file) {
      environment_error("{}: tensor {} is not in {}, where the index has it; fetch the model again",
                        listing_.string(), in_quotes(tensor), file->path().filename().string());
    }
  }
}

}  // namespace trisect::phi2
