#include "integration/phi2/model/model_dir.hpp"

#include <charconv>
#include <cstdlib>
#include <fstream>
#include <vector>

#include "kernels/core/error.hpp"

namespace trisect::phi2 {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSynthetic = "synthetic:";

fs::path environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

std::string join(const std::vector<fs::path>& paths) {
  std::string text;
  for (const fs::path& path : paths) text += (text.empty() ? "" : ", ") + path.string();
  return text;
}

ModelSource in_directory(const std::string& name, const fs::path& directory) {
  std::error_code ignored;
  if (!fs::exists(directory / "config.json", ignored)) {
    environment_error(
        "--model {}: no config.json in {}; a model directory holds config.json, model.safetensors (or "
        "its shards) and tokenizer.json",
        name, directory.string());
  }
  return {name, directory, load_config(directory / "config.json")};
}

ModelSource synthetic(const std::string& argument) {
  const std::string_view shape = std::string_view(argument).substr(kSynthetic.size());
  const std::size_t colon = shape.find(':');
  std::optional<Config> config = known_config(shape.substr(0, colon));
  if (!config) {
    usage_error(
        "--model {}: no such shape; there are synthetic:phi-2, synthetic:phi-1.5, synthetic:phi-1 and "
        "synthetic:phi-mini",
        argument);
  }
  if (colon != std::string_view::npos) {
    const std::string_view count = shape.substr(colon + 1);
    const char* end = count.data() + count.size();
    int layers = 0;
    if (std::from_chars(count.data(), end, layers).ptr != end || layers < 1 || layers > config->layers) {
      usage_error("--model {}: '{}' is no number of layers: choose 1 to {}", argument, count, config->layers);
    }
    config->layers = layers;
  }
  return {argument, "", *config};
}

std::vector<fs::path> shipped_places(const std::string& name) {
  std::vector<fs::path> places;
  if (const fs::path models = environment("TRISECT_MODELS"); !models.empty()) places.push_back(models / name);
  places.push_back(fs::path(TRISECT_MODELS_DIR) / name);
  std::error_code ignored;
  const fs::path program = fs::read_symlink("/proc/self/exe", ignored);
  places.push_back(program.parent_path().parent_path() / "share/trisect/models" / name);
  return places;
}

/// The one cache that huggingface_hub would use.
fs::path hub_cache() {
  if (const fs::path cache = environment("HF_HUB_CACHE"); !cache.empty()) return cache;
  if (const fs::path home = environment("HF_HOME"); !home.empty()) return home / "hub";
  if (const fs::path cache = environment("XDG_CACHE_HOME"); !cache.empty()) return cache / "huggingface/hub";
  return environment("HOME") / ".cache/huggingface/hub";
}

/// The snapshot that refs/main names, or the only one; empty when there is none or no way to choose.
fs::path snapshot(const fs::path& repository) {
  std::ifstream ref(repository / "refs/main");
  std::string revision;
  if (std::getline(ref, revision) && !revision.empty() && is_folder(repository / "snapshots" / revision)) {
    return repository / "snapshots" / revision;
  }
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator it(repository / "snapshots", error), end; !error && it != end;
       it.increment(error)) {
    if (is_folder(it->path())) found.push_back(it->path());
  }
  return found.size() == 1 ? found[0] : "";
}

bool is_hub_id(const std::string& name) {
  const std::size_t slash = name.find('/');
  return slash != name.npos && slash > 0 && slash + 1 < name.size() &&
         name.find('/', slash + 1) == name.npos && name[0] != '.' && name[0] != '~';
}

}  // namespace

ModelSource find_model(const std::string& argument) {
  if (argument.empty()) usage_error("--model: the name is empty; leave the option out for phi-mini");
  if (argument.starts_with(kSynthetic)) return synthetic(argument);
  std::vector<fs::path> tried;
  if (argument.find('/') == argument.npos && argument[0] != '.') tried = shipped_places(argument);
  tried.push_back(argument);
  for (const fs::path& place : tried) {
    if (is_folder(place)) return in_directory(argument, place);
  }
  if (is_hub_id(argument)) {
    const std::size_t slash = argument.find('/');
    tried.push_back(hub_cache() /
                    fmt::format("models--{}--{}", argument.substr(0, slash), argument.substr(slash + 1)));
    if (const fs::path found = snapshot(tried.back()); !found.empty()) return in_directory(argument, found);
  }
  environment_error(
      "--model {}: not found (looked in {}); give a directory with config.json, phi-mini, synthetic:phi-2, "
      "or an OWNER/NAME fetched with huggingface-cli download",
      argument, join(tried));
}

}  // namespace trisect::phi2
