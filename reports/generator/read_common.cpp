#include "reports/generator/read_common.hpp"

#include "reports/generator/units.hpp"

namespace trisect::report {
namespace {

/// A number that the environment could not say is 0.
std::optional<double> read_number(const Json& value) {
  const auto number = known_number(value);
  return number && *number > 0 ? number : std::nullopt;
}

std::string text_of(const Json& value) {
  if (value.is_string()) return value.get<std::string>().empty() ? "unknown" : value.get<std::string>();
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_null()) return "unknown";
  if (value.empty()) return "unknown";
  if (value.is_number_float()) return number(value.get<double>());
  if (!value.is_array()) return value.dump();
  std::string text;
  for (const Json& entry : value) text += (text.empty() ? "" : ", ") + text_of(entry);
  return text;
}

Build read_build(const Json& json) {
  return {json.at("version"),    json.at("git_hash"),   json.at("compiler"), json.at("flags"),
          json.at("build_type"), json.at("sanitizers"), json.at("git_dirty")};
}

Environment read_environment(const Json& json) {
  Environment environment;
  environment.cpu = json.at("cpu");
  environment.governor = json.at("governor");
  environment.gpu = json.at("gpu");
  environment.processors = read_number(json.at("processors"));
  environment.threads = read_number(json.at("threads"));
  environment.llc_bytes = read_number(json.at("llc_bytes"));
  if (const auto load = json.find("load_average"); load != json.end() && load->is_array() && !load->empty()) {
    environment.load = known_number(load->front());
  }
  if (const auto& pinned = json.at("threads_pinned"); pinned.is_boolean()) {
    environment.threads_pinned = pinned.get<bool>();
  }
  for (const auto& [key, value] : json.items()) {
    const auto number = read_number(value);
    const bool unknown = value.is_number() && !number;
    const bool size = number && key.ends_with("_bytes");
    environment.all.emplace_back(key, unknown ? "unknown" : size ? bytes(*number) : text_of(value));
  }
  return environment;
}

}  // namespace

std::optional<double> known_number(const Json& value) {
  return value.is_number() ? std::optional(value.get<double>()) : std::nullopt;
}

InputFile input_file(const JsonFile& file, const std::filesystem::path& report_directory) {
  const auto relative = std::filesystem::absolute(file.path).lexically_normal().lexically_relative(
      std::filesystem::absolute(report_directory).lexically_normal());
  return {relative.empty() ? file.path.generic_string() : relative.generic_string(), file.fnv1a64};
}

Origin read_origin(const Json& json, std::string program) {
  std::optional<long> seed;
  if (const auto settings = json.find("settings"); settings != json.end() && settings->contains("seed"))
    seed = settings->at("seed").get<long>();
  return {std::move(program),
          {},
          json.at("command").get<std::vector<std::string>>(),
          json.at("started_utc"),
          json.at("finished_utc"),
          json.at("interrupted"),
          seed,
          read_build(json.at("build")),
          read_environment(json.at("environment"))};
}

Model read_model(const Json& json) {
  return {json.at("name"),   json.at("hash"),  json.at("parameters"),   json.at("layers"),
          json.at("hidden"), json.at("heads"), json.at("intermediate"), json.at("vocab")};
}

}  // namespace trisect::report
