#include "integration/phi2/model/json.hpp"

#include <set>
#include <vector>

#include "integration/phi2/model/mapped_file.hpp"
#include "kernels/core/error.hpp"

namespace trisect::phi2 {
namespace {

constexpr std::size_t kMaxDepth = 32;
constexpr std::size_t kMaxBytes = 100'000'000;

}  // namespace

nlohmann::json parse_json(std::string_view text, const std::filesystem::path& file) {
  using Event = nlohmann::json::parse_event_t;
  // The parser takes a NUL for the end of its input, and whatever follows would pass unseen.
  if (text.find('\0') != text.npos) environment_error("{}: not valid JSON (a NUL byte)", file.string());
  std::vector<std::set<std::string>> keys;  // of the object that is open at each depth
  const auto check = [&](int depth, Event event, const nlohmann::json& value) {
    const std::size_t level = static_cast<std::size_t>(depth);
    if (level > kMaxDepth) environment_error("{}: JSON nested deeper than {}", file.string(), kMaxDepth);
    if (event == Event::object_start) {
      keys.resize(level + 1);
      keys[level].clear();
    } else if (event == Event::key && !keys[level - 1].insert(value.get<std::string>()).second) {
      environment_error("{}: key {} occurs twice", file.string(), in_quotes(value.get<std::string>()));
    }
    return true;
  };
  try {
    return nlohmann::json::parse(text, check);
  } catch (const nlohmann::json::parse_error& error) {
    environment_error("{}: not valid JSON (at byte {})", file.string(), error.byte);
  } catch (const nlohmann::json::exception&) {
    environment_error("{}: not valid JSON (a number out of range)", file.string());
  }
}

nlohmann::json load_json(const std::filesystem::path& file) {
  const MappedFile mapped(file);
  const std::size_t size = mapped.bytes().size();
  if (size > kMaxBytes) environment_error("{}: {} bytes is too large for a JSON file", file.string(), size);
  return parse_json({reinterpret_cast<const char*>(mapped.bytes().data()), size}, file);
}

std::string in_quotes(std::string_view name) {
  constexpr std::size_t kMaxLength = 120;
  if (name.size() <= kMaxLength) return fmt::format("{:?}", name);
  return fmt::format("{:?}...", name.substr(0, kMaxLength));
}

}  // namespace trisect::phi2
