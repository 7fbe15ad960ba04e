#include "integration/runner/files.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "kernels/core/atomic_file.hpp"
#include "kernels/core/error.hpp"

namespace trisect::runner {
namespace {

namespace fs = std::filesystem;

fs::path find_shipped(const char* variable, const char* folder, std::string_view name) {
  std::vector<fs::path> places;
  if (const char* value = variable != nullptr ? std::getenv(variable) : nullptr) places.emplace_back(value);
  places.push_back(fs::path(TRISECT_INTEGRATION_DIR) / folder);
  std::error_code ignored;
  const fs::path program = fs::read_symlink("/proc/self/exe", ignored);
  places.push_back(program.parent_path().parent_path() / "share/trisect" / folder);
  std::string tried;
  for (const fs::path& place : places) {
    if (fs::exists(place / name, ignored)) return place / name;
    tried += (tried.empty() ? "" : ", ") + place.string();
  }
  environment_error("{} not found (looked in {})", name, tried);
}

std::string read_all(std::FILE* file, const std::string& name) {
  std::string text;
  char block[1 << 16];
  while (const std::size_t count = std::fread(block, 1, sizeof block, file)) text.append(block, count);
  if (std::ferror(file) != 0) environment_error("cannot read {}: {}", name, std::strerror(errno));
  return text;
}

}  // namespace

fs::path find_text(std::string_view name) { return find_shipped("TRISECT_TEXTS", "texts", name); }

fs::path find_questions() { return find_shipped(nullptr, "prompts", "questions.txt"); }

std::string read_text(const fs::path& path) {
  std::FILE* file = std::fopen(path.c_str(), "rb");
  if (file == nullptr) environment_error("cannot read {}: {}", path.string(), std::strerror(errno));
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> closed_at_the_end(file, std::fclose);
  return read_all(file, path.string());
}

std::string read_standard_input() { return read_all(stdin, "standard input"); }

void require_writable(const fs::path& path) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) environment_error("cannot write {}: it is a directory", path.string());
  // A regular file is replaced, which takes the right to write to its folder; a device is opened.
  const bool device = fs::exists(path, ignored) && !fs::is_regular_file(path, ignored);
  const fs::path folder = path.has_parent_path() ? path.parent_path() : ".";
  if (access((device ? path : folder).c_str(), W_OK) != 0) {
    environment_error("cannot write {}: {}", path.string(), std::strerror(errno));
  }
}

void ResultFile::write(const nlohmann::ordered_json& content) const {
  if (path_.empty()) return;
  write_atomically(path_,
                   content.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
}

}  // namespace trisect::runner
