#include "microbench/harness/manifest.hpp"

#include <cmath>
#include <nlohmann/json.hpp>

#include "kernels/core/environment_json.hpp"

namespace trisect::microbench {
namespace {

using Json = nlohmann::ordered_json;

std::string_view name_of(CheckStatus status) {
  switch (status) {
    case CheckStatus::kPass:
      return "pass";
    case CheckStatus::kFail:
      return "fail";
    case CheckStatus::kMistrusted:
      return "mistrusted";
  }
  return "?";
}

Json finite(double value) { return std::isfinite(value) ? Json(value) : Json(); }

Json whole(double value) { return static_cast<std::int64_t>(value); }

Json to_json(const Row& row) {
  Json problem = Json::object();
  for (const auto& [field, value] : row.problem) problem[std::string(field)] = value;
  Json check;
  if (row.check) {
    check = {{"status", name_of(row.check->status)},
             {"error", finite(row.check->error)},
             {"tolerance", finite(row.check->tolerance)},
             {"detail", row.check->detail}};
  }
  return {{"benchmark", row.benchmark},
          {"op", row.op},
          {"variant", row.variant},
          {"device", trisect::name_of(row.device)},
          {"dtype", row.dtype.empty() ? Json() : Json(row.dtype)},
          {"group", row.group},
          {"problem", problem},
          {"copies", row.copies},
          {"weights", row.weights},
          {"timing", row.timing},
          {"launches", row.launches ? Json(*row.launches) : Json()},
          {"clock_share", row.clock_share > 0 ? finite(row.clock_share) : Json()},
          {"discarded", row.discarded},
          {"cost",
           {{"bytes_read", whole(row.cost.bytes_read)},
            {"bytes_written", whole(row.cost.bytes_written)},
            {"flops", whole(row.cost.flops)}}},
          {"check", check},
          {"status", microbench::name_of(row.status)},
          {"reason", row.reason}};
}

Json to_json(const Manifest::Probed& group) {
  // An interrupted group has no second probe.
  const auto gbps = [](double value) { return value > 0 ? finite(value) : Json(); };
  return {{"name", group.group},
          {"probe_before_gbps", gbps(group.before_gbps)},
          {"probe_after_gbps", gbps(group.after_gbps)}};
}

Json to_json(const CudaFacts& device) {
  if (device.name.empty()) return {};
  return {{"name", device.name},
          {"emulated", device.emulated},
          {"sms", device.sms},
          {"cache_bytes", device.cache_bytes},
          {"bandwidth_gbps", device.bandwidth_gbps > 0 ? finite(device.bandwidth_gbps) : Json()}};
}

template <class Items>
Json list(const Items& items) {
  Json array = Json::array();
  for (const auto& item : items) array.push_back(to_json(item));
  return array;
}

}  // namespace

std::string Manifest::json() const {
  Json kernels = Json::array();
  for (const auto& kernel : probe_kernels)
    kernels.push_back({{"name", kernel.name}, {"gbps", finite(kernel.gbps)}});
  Json machine = trisect::to_json(environment);
  machine["benchmark"] = TRISECT_BENCHMARK_VERSION;
  const Json manifest = {{"schema", "trisect/microbench"},
                         {"schema_version", 1},
                         {"command", command},
                         {"started_utc", started_utc},
                         {"finished_utc", finished_utc},
                         {"interrupted", interrupted},
                         {"pair", pair.empty() ? Json() : Json(pair)},
                         {"build", trisect::to_json(build)},
                         {"environment", machine},
                         {"accelerator", to_json(accelerator)},
                         {"shapes", {{"name", shapes_name}, {"fnv1a64", shapes_fnv1a64}}},
                         {"probe", {{"bytes", probe_bytes}, {"kernels", kernels}}},
                         {"groups", list(groups)},
                         {"rows", list(rows)}};
  // Arguments may be any bytes.
  return manifest.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace trisect::microbench
