#include "kernels/core/op.hpp"

#include <map>
#include <sstream>

namespace trisect {
namespace {

std::map<std::string, std::string, std::less<>> parse_forced() {
  const char* list = std::getenv("TRISECT_FORCE");
  std::istringstream entries(list != nullptr ? list : "");
  std::map<std::string, std::string, std::less<>> forced;
  for (std::string entry; std::getline(entries, entry, ',');) {
    const std::size_t equals = entry.find('=');
    if (equals == std::string::npos) usage_error("TRISECT_FORCE: '{}' is not <op>=<variant>", entry);
    forced[entry.substr(0, equals)] = entry.substr(equals + 1);
  }
  return forced;
}

}  // namespace

std::string forced_variant(std::string_view op) {
  static const auto forced = parse_forced();
  const auto found = forced.find(op);
  return found != forced.end() ? found->second : "";
}

}  // namespace trisect
