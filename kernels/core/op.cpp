#include "kernels/core/op.hpp"

#include <sstream>

namespace trisect {

std::string forced_variant(std::string_view op) {
  const char* list = std::getenv("TRISECT_FORCE");
  std::istringstream entries(list ? list : "");
  for (std::string entry; std::getline(entries, entry, ',');) {
    const std::size_t equals = entry.find('=');
    if (equals == std::string::npos) usage_error("TRISECT_FORCE: '{}' is not <op>=<variant>", entry);
    if (entry.substr(0, equals) == op) return entry.substr(equals + 1);
  }
  return "";
}

}  // namespace trisect
