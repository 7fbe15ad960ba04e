#include "reports/generator/machines.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "reports/generator/units.hpp"

namespace trisect::report {
namespace {

std::string said(const Origin& origin, const std::string& key) {
  for (const auto& [name, value] : origin.environment.all) {
    if (name == key) return value;
  }
  return "unknown";
}

std::string name_of(const Origin& origin) {
  const Environment& environment = origin.environment;
  const std::string host = said(origin, "host");
  std::string name = host == "unknown" ? "" : host + ": ";
  name += environment.cpu;
  if (environment.processors)
    name += fmt::format(", {}", count(static_cast<long>(*environment.processors), "processor"));
  if (environment.gpu != "none" && environment.gpu != "unknown" && !environment.gpu.empty())
    name += ", " + environment.gpu;
  return name;
}

}  // namespace

std::string machine_key(const Origin& origin) {
  const Environment& environment = origin.environment;
  return fmt::format("{}\n{}\n{}\n{}\n{}", environment.cpu, optional_number(environment.processors),
                     environment.gpu, said(origin, "host"), said(origin, "memory_total_bytes"));
}

bool on_absent_device(const Origin& origin, const std::string& device) {
  return device != "cpu" && origin.environment.gpu == "none";
}

std::vector<Machine> machines_of(const Results& results) {
  std::vector<Machine> machines;
  std::vector<std::string> keys;
  const auto machine_of = [&](const Origin& origin) -> Results& {
    const std::string key = machine_key(origin);
    const auto found = std::find(keys.begin(), keys.end(), key);
    if (found != keys.end()) return machines[static_cast<std::size_t>(found - keys.begin())].results;
    keys.push_back(key);
    const std::string name = name_of(origin);
    const auto alike = std::count_if(machines.begin(), machines.end(),
                                     [&](const Machine& other) { return other.name.starts_with(name); });
    machines.push_back({alike == 0 ? name : fmt::format("{} ({})", name, alike + 1), {}});
    return machines.back().results;
  };
  for (const MicrobenchRun& run : results.runs) {
    Results& own = machine_of(run.origin);
    own.runs.push_back(run);
    for (Row& row : own.runs.back().rows) row.run = own.runs.size() - 1;
  }
  for (const CompareRun& run : results.comparisons) machine_of(run.origin).comparisons.push_back(run);
  for (const SweepRun& run : results.sweeps) machine_of(run.origin).sweeps.push_back(run);
  for (const TraceRun& run : results.traces) machine_of(run.origin).traces.push_back(run);
  for (const VocabularyRun& run : results.vocabularies) machine_of(run.origin).vocabularies.push_back(run);
  return machines;
}

}  // namespace trisect::report
