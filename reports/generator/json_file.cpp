#include "reports/generator/json_file.hpp"

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <set>
#include <vector>

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

/// What no program of ours writes, and what would lead code astray that walks or prints the document.
constexpr int kDeepest = 32;
constexpr std::size_t kLongestText = 100000;

/// Looks at the document while it is parsed: what is refused never becomes a value.
class Guard {
 public:
  explicit Guard(std::string file) : file_(std::move(file)) {}

  bool operator()(int depth, nlohmann::json::parse_event_t event, nlohmann::json& parsed) {
    using Event = nlohmann::json::parse_event_t;
    if (depth > kDeepest)
      environment_error("{}: values are nested deeper than {}: no program of Trisect wrote this", file_,
                        kDeepest);
    if (event == Event::object_start) keys_.emplace_back();
    if (event == Event::object_end) keys_.pop_back();
    if (event == Event::key && !keys_.back().insert(parsed.get<std::string>()).second) {
      environment_error(
          "{}: the key {} occurs twice in one object: which value is meant is unknown; write it again", file_,
          parsed.dump(-1, ' ', true).substr(0, 60));
    }
    if (event == Event::value && parsed.is_string() &&
        parsed.get_ref<const std::string&>().size() > kLongestText) {
      environment_error("{}: a text of {} bytes, where at most {} are read: no program of Trisect wrote this",
                        file_, parsed.get_ref<const std::string&>().size(), kLongestText);
    }
    return true;
  }

 private:
  std::string file_;
  std::vector<std::set<std::string>> keys_;  // of the objects that are open
};

}  // namespace

JsonFile read_json_file(const std::filesystem::path& path, std::string_view schema) {
  const std::string bytes = read_bytes(path);
  JsonFile file{path, fnv1a64_of(bytes), {}};
  try {
    file.json = nlohmann::json::parse(bytes, Guard(path.string()));
  } catch (const nlohmann::json::parse_error& error) {
    environment_error("{}: not valid JSON at byte {} of {}: truncated or damaged; write it again",
                      path.string(), error.byte, bytes.size());
  } catch (const nlohmann::json::out_of_range&) {
    environment_error("{}: holds a number that is too large for one; write it again", path.string());
  }
  validate(file.json, schema, path.string());
  return file;
}

}  // namespace trisect::report
