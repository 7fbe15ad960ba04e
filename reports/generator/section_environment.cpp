#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "reports/generator/markdown.hpp"
#include "reports/generator/sections.hpp"
#include "reports/generator/units.hpp"

namespace trisect::report {
namespace {

using Properties = std::vector<std::pair<std::string, std::string>>;

/// What may be the same of all inputs. What is each run's own is in its row of run_table.
Properties properties_of(const Origin& origin) {
  const Build& build = origin.build;
  Properties all = {{"version", build.version},
                    {"git revision", build.git_hash + (build.git_dirty ? " with uncommitted changes" : "")},
                    {"compiler", build.compiler},
                    {"flags", build.flags},
                    {"build type", build.build_type},
                    {"sanitizers", build.sanitizers.empty() ? "none" : build.sanitizers}};
  all.insert(all.end(), origin.environment.all.begin(), origin.environment.all.end());
  return all;
}

std::string value_of(const Properties& properties, const std::string& key) {
  const auto found =
      std::find_if(properties.begin(), properties.end(), [&](const auto& p) { return p.first == key; });
  return found == properties.end() ? kNone : found->second;
}

/// Once what every input says alike, then a row for each input with what differs. An input that lacks a key
/// says nothing of it.
std::string property_tables(const std::vector<const Origin*>& origins) {
  std::vector<std::string> keys;
  std::vector<Properties> values;
  for (const Origin* origin : origins) {
    values.push_back(properties_of(*origin));
    for (const auto& [key, value] : values.back()) {
      if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
    }
  }
  Table shared({{"all inputs", kLeft}, {"", kLeft}});
  std::vector<std::string> differing;
  for (const std::string& key : keys) {
    std::set<std::string> found;
    for (const Properties& properties : values) found.insert(value_of(properties, key));
    found.erase(kNone);
    if (found.size() > 1) {
      differing.push_back(key);
    } else {
      shared.add({escape(key), escape(*found.begin())});
    }
  }
  std::vector<Table::Column> columns = {{"input", kLeft},
                                        {"program", kLeft},
                                        {"started (UTC)", kLeft},
                                        {"finished (UTC)", kLeft},
                                        {"seed", kLeft}};
  for (const std::string& key : differing) columns.push_back({escape(key), kLeft});
  Table runs(columns);
  for (std::size_t i = 0; i < origins.size(); ++i) {
    const Origin& origin = *origins[i];
    std::vector<std::string> cells = {escape(origin.files.front().path), escape(origin.program),
                                      escape(origin.started_utc), escape(origin.finished_utc),
                                      origin.seed ? fmt::format("{}", *origin.seed) : kNone};
    for (const std::string& key : differing) cells.push_back(escape(value_of(values[i], key)));
    runs.add(cells);
  }
  return shared.markdown() + runs.markdown();
}

std::string probe_lines(const MicrobenchRun& run) {
  std::string text;
  if (!run.shapes.empty())
    text += fmt::format("Shapes: {} (fnv1a64 `{}`).\n", code(run.shapes), escape(run.shapes_fnv1a64));
  if (!run.probe_gbps) return text;
  text += fmt::format("Read bandwidth measured by the run itself: {} GB/s ({}).\n", number(*run.probe_gbps),
                      code(run.probe_kernel));
  return text;
}

}  // namespace

std::string environment_section(const Results& results) {
  std::string text = "## Environment and provenance\n\n" + property_tables(results.origins());
  Table files({{"input file", kLeft}, {"fnv1a64", kLeft}});
  std::string commands, probes;
  for (const Origin* origin : results.origins()) {
    for (const InputFile& file : origin->files) {
      files.add({fmt::format("[{}]({})", escape(file.path), escape_url(file.path)), code(file.fnv1a64)});
    }
    commands += shell_command(origin->command) + "\n";
  }
  for (const MicrobenchRun& run : results.runs) probes += probe_lines(run);
  commands.pop_back();
  text += "Commands, as they were given:\n\n" + code_block(commands) + "\n";
  if (!probes.empty()) text += probes + "\n";
  return text + files.markdown();
}

}  // namespace trisect::report
