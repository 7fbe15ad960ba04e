#include "integration/runner/trace_file.hpp"

#include <nlohmann/json.hpp>

#include "integration/runner/files.hpp"
#include "kernels/core/error.hpp"

namespace trisect::runner {
namespace {

int integer(const nlohmann::json& request, const char* field, int least, const std::string& where) {
  constexpr std::int64_t kMost = 1000000000;
  const auto found = request.find(field);
  if (found == request.end() || !found->is_number_integer() || found->get<std::int64_t>() < least ||
      found->get<std::int64_t>() > kMost) {
    environment_error("{}: field \"{}\" must be an integer from {} to {}", where, field, least, kMost);
  }
  return found->get<int>();
}

}  // namespace

Trace read_trace(const std::filesystem::path& path) {
  const nlohmann::json json = nlohmann::json::parse(read_text(path), nullptr, false);
  if (!json.is_object() || json.value("schema", nlohmann::json()) != "trisect/trace" ||
      json.value("schema_version", nlohmann::json()) != 1) {
    environment_error("{}: not version 1 of a trisect/trace file", path.string());
  }
  const auto text = [&](const char* field) {
    const auto found = json.find(field);
    return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  Trace trace{text("name"), text("description"), {}};
  if (trace.name.empty()) trace.name = path.stem().string();
  const auto requests = json.find("requests");
  if (requests == json.end() || !requests->is_array() || requests->empty()) {
    environment_error("{}: field \"requests\" must be a list with at least one request", path.string());
  }
  for (const nlohmann::json& request : *requests) {
    const std::string where = fmt::format("{}: request {}", path.string(), trace.requests.size());
    if (!request.is_object()) environment_error("{} is not an object", where);
    trace.requests.push_back({integer(request, "arrival", 0, where), integer(request, "prompt", 1, where),
                              integer(request, "output", 1, where)});
  }
  return trace;
}

}  // namespace trisect::runner
