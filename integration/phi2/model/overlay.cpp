#include "integration/phi2/model/overlay.hpp"

#include "integration/phi2/model/json.hpp"
#include "kernels/core/error.hpp"

namespace trisect::phi2 {

namespace fs = std::filesystem;

namespace {

constexpr char kFile[] = "overlay.json";

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(fs::symlink_status(path, ignored));
}

}  // namespace

std::optional<Overlay> find_overlay(const fs::path& directory) {
  const fs::path file = directory / kFile;
  if (!is_there(file)) return std::nullopt;
  const nlohmann::json json = load_json(file);
  const auto fail = [&](const std::string& what) {
    environment_error("{}: {}; fetch the model again", file.string(), what);
  };
  if (!json.is_object()) fail("must be an object");
  for (const auto& [key, value] : json.items()) {
    if (key != "format" && key != "version" && key != "base" && key != "hash") {
      fail("has an unknown member " + in_quotes(key));
    }
  }
  if (json.value("format", nlohmann::json()) != "trisect-overlay") fail("format is not trisect-overlay");
  if (json.value("version", nlohmann::json()) != 1) fail("version is not 1");
  const auto base = json.find("base"), hash = json.find("hash");
  if (base == json.end() || !base->is_string() || base->get_ref<const std::string&>().empty()) {
    fail("base must name the directory of a model");
  }
  if (hash != json.end() && !hash->is_string()) fail("hash must be a string");

  Overlay overlay{(directory / base->get<std::string>()).lexically_normal(), std::nullopt};
  if (hash != json.end()) overlay.hash = hash->get<std::string>();
  if (!is_there(overlay.base)) {
    environment_error("{}: base: there is no {}; put the base model there", file.string(),
                      in_quotes(overlay.base.string()));
  }
  if (is_there(overlay.base / kFile)) {
    environment_error("{}: base: {} is an overlay itself; name the model that it lies over", file.string(),
                      in_quotes(overlay.base.string()));
  }
  return overlay;
}

}  // namespace trisect::phi2
