#include <fmt/format.h>

#include <algorithm>

#include "reports/generator/markdown.hpp"
#include "reports/generator/sections.hpp"
#include "reports/generator/units.hpp"

namespace trisect::report {
namespace {

using Properties = std::vector<std::pair<std::string, std::string>>;

Properties properties_of(const Origin& origin) {
  const Build& build = origin.build;
  Properties all = {{"input", origin.files.front().path},
                    {"started (UTC)", origin.started_utc},
                    {"finished (UTC)", origin.finished_utc},
                    {"version", build.version},
                    {"git revision", build.git_hash + (build.git_dirty ? " with uncommitted changes" : "")},
                    {"compiler", build.compiler},
                    {"flags", build.flags},
                    {"build type", build.build_type},
                    {"sanitizers", build.sanitizers.empty() ? "none" : build.sanitizers}};
  all.insert(all.end(), origin.environment.all.begin(), origin.environment.all.end());
  return all;
}

std::string property_table(const std::vector<const Origin*>& origins) {
  std::vector<Table::Column> columns = {{"", kLeft}};
  std::vector<std::string> keys;
  std::vector<Properties> values;
  for (const Origin* origin : origins) {
    columns.push_back({origin->program, kLeft});
    values.push_back(properties_of(*origin));
    for (const auto& [key, value] : values.back()) {
      if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
    }
  }
  Table table(columns);
  for (const std::string& key : keys) {
    std::vector<std::string> cells = {escape(key)};
    for (const Properties& properties : values) {
      const auto found =
          std::find_if(properties.begin(), properties.end(), [&](const auto& p) { return p.first == key; });
      cells.push_back(found == properties.end() ? kNone : escape(found->second));
    }
    table.add(cells);
  }
  return table.markdown();
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
  std::string text = "## Environment and provenance\n\n" + property_table(results.origins());
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
