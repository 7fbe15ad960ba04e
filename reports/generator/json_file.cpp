#include "reports/generator/json_file.hpp"

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>

#include "kernels/core/error.hpp"
#include "reports/generator/schema.hpp"

namespace trisect::report {
namespace {

std::string read_bytes(const std::filesystem::path& path) {
  if (std::filesystem::is_directory(path)) environment_error("{}: is a directory, not a file", path.string());
  std::ifstream stream(path, std::ios::binary);
  if (!stream) environment_error("{}: cannot be read: {}", path.string(), std::strerror(errno));
  return {std::istreambuf_iterator<char>(stream), {}};
}

std::string fnv1a64_of(const std::string& bytes) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  return fmt::format("{:016x}", hash);
}

}  // namespace

JsonFile read_json_file(const std::filesystem::path& path, std::string_view schema) {
  const std::string bytes = read_bytes(path);
  JsonFile file{path, fnv1a64_of(bytes), {}};
  try {
    file.json = nlohmann::json::parse(bytes);
  } catch (const nlohmann::json::parse_error& error) {
    environment_error("{}: not valid JSON at byte {} of {}: truncated or damaged; write it again",
                      path.string(), error.byte, bytes.size());
  }
  validate(file.json, schema, path.string());
  return file;
}

}  // namespace trisect::report
