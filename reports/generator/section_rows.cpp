#include <fmt/format.h>

#include <map>

#include "reports/generator/layers.hpp"
#include "reports/generator/markdown.hpp"
#include "reports/generator/sections.hpp"
#include "reports/generator/units.hpp"

namespace trisect::report {
namespace {

std::string because(const Row& row) {
  const std::string& why = row.reason.empty() ? row.check.detail : row.reason;
  return why.empty() ? "" : ": " + escape(why);
}

std::string gflops(const Row& row) {
  return row.time_ns && row.flops > 0 ? number(row.flops / row.time_ns->median) : kNone;
}

}  // namespace

std::string share_text(const Row& row) {
  const auto share = row.probe_share();
  return share ? percent(*share) : kNone;
}

std::string check_text(const Row& row) {
  if (row.status == "fail") return "FAIL" + because(row);
  if (row.status == "mistrusted") return "MISTRUSTED" + because(row);
  if (row.status != "pass") return row.status + because(row);
  const std::string where = row.emulated ? ", emulated" : "";
  if (!row.check.error) return "pass" + where;
  if (*row.check.error == 0) return "pass, exact" + where;
  if (!row.check.tolerance) return fmt::format("pass, error {:.1e}{}", *row.check.error, where);
  return fmt::format("pass, error {:.1e} of {:.1e}{}", *row.check.error, *row.check.tolerance, where);
}

std::string microbench_command(const MicrobenchRun& run, const std::string& filter) {
  std::vector<std::string> arguments;
  bool drop_value = false;
  for (const std::string& argument : run.origin.command) {
    const bool drop = drop_value;
    drop_value = argument == "--out";
    if (drop || drop_value || argument.starts_with("--out=") || argument.starts_with("--benchmark_filter="))
      continue;
    arguments.push_back(argument);
  }
  arguments.push_back("--benchmark_filter=" + filter);
  arguments.emplace_back("--out=DIR");
  return shell_command(arguments);
}

std::string reproduce(const MicrobenchRun& run, const std::string& filter) {
  return "Again: " + code(microbench_command(run, filter)) + "\n\n";
}

std::string row_table(const MicrobenchRun& run, const std::string& family) {
  Table table({{"NAME", kLeft},
               {"variant that ran", kLeft},
               {"check", kLeft},
               {"samples"},
               {"median µs"},
               {"q1–q3 µs"},
               {"min µs"},
               {"spread"},
               {"GB/s"},
               {"% of probe"},
               {"GFLOP/s"},
               {"weights", kLeft}});
  struct Skipped {
    long rows = 0;
    std::string name;
  };
  std::map<std::pair<std::string, std::string>, Skipped> skipped;  // by variant and reason
  for (const Row& row : run.rows) {
    if (row.family() != family) continue;
    if (row.status == "skipped") {
      Skipped& kind = skipped[{row.op + "/" + row.variant, row.reason}];
      ++kind.rows;
      if (kind.name.empty()) kind.name = row.name;
      continue;
    }
    std::vector<std::string> cells = {code(row.name), escape(row.variant), check_text(row)};
    if (row.time_ns) {
      const Summary& time = *row.time_ns;
      cells.insert(cells.end(), {fmt::format("{}", time.samples), microseconds(time.median),
                                 microseconds_range(time), microseconds(time.min), percent(noise(time))});
    } else {
      cells.insert(cells.end(), 5, kNone);
    }
    cells.insert(cells.end(),
                 {optional_number(row.gbps()), share_text(row), gflops(row), escape(row.weights)});
    table.add(cells);
  }
  std::string without;
  for (const auto& [key, kind] : skipped)
    without += fmt::format("- {} of {}{}: {}\n", count(kind.rows, "row"), code(key.first),
                           key.second.empty() ? "" : " (" + escape(key.second) + ")", code(kind.name));
  if (!without.empty()) without = "Skipped, which is not a pass; a name of each:\n\n" + without + "\n";
  return (table.empty() ? "" : table.markdown()) + without + "Any row again, with its NAME:\n\n" +
         code_block(microbench_command(run, "^NAME/")) + "\n";
}

}  // namespace trisect::report
