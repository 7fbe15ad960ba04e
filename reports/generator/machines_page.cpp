#include <fmt/format.h>

#include <algorithm>

#include "reports/generator/headline.hpp"
#include "reports/generator/machines.hpp"
#include "reports/generator/markdown.hpp"
#include "reports/generator/units.hpp"
#include "reports/generator/warnings.hpp"

namespace trisect::report {
namespace {

std::string machine_table(const std::vector<Machine>& machines, const std::vector<std::string>& reports) {
  Table table({{"machine", kLeft},
               {"report", kLeft},
               {"revision", kLeft},
               {"threads"},
               {"memory"},
               {"governor", kLeft},
               {"warnings"}});
  for (std::size_t i = 0; i < machines.size(); ++i) {
    const Origin& origin = *machines[i].results.origins().front();
    const Environment& environment = origin.environment;
    std::string memory = "unknown";
    for (const auto& [key, value] : environment.all) memory = key == "memory_total_bytes" ? value : memory;
    table.add({escape(machines[i].name), fmt::format("[{}]({})", escape(reports[i]), escape_url(reports[i])),
               escape(origin.build.git_hash.substr(0, 12)) + (origin.build.git_dirty ? " with changes" : ""),
               environment.threads ? number(*environment.threads) : "unknown", escape(memory),
               escape(environment.governor), fmt::format("{}", warnings_of(machines[i].results).size())});
  }
  return table.markdown();
}

/// The fastest timed row of one op on phi-2's widest product of one token, on one kind of device.
const Row* fastest(const Results& results, const std::string& op, int permille, bool gpu) {
  const Row* best = nullptr;
  for (const Row* row : results.rows()) {
    if (row->op != op || (row->device != "cpu") != gpu || !row->time_ns || row->dtype != "bf16") continue;
    if (row->field("rows", 1) != 1 || row->field("in") != 2560 || row->field("out") != 17920) continue;
    if (row->field("sparsity_permille", permille) != permille) continue;
    if (best == nullptr || row->time_ns->median < best->time_ns->median) best = row;
  }
  return best;
}

std::string bandwidth(const Results& results, bool gpu) {
  for (const MicrobenchRun& run : results.runs) {
    if (!gpu && run.probe_gbps) return number(*run.probe_gbps);
    for (const Row& row : run.rows) {
      if (gpu && row.device != "cpu" && row.probe_gbps) return number(*row.probe_gbps);
    }
  }
  return kNone;
}

/// The same two products everywhere: all weights, and half of the rows.
std::string product_table(const std::vector<Machine>& machines, bool gpu) {
  Table table({{"machine", kLeft},
               {"bandwidth measured, GB/s"},
               {"dense product µs"},
               {"half of its rows µs"},
               {"speed-up"},
               {"judged", kLeft}});
  for (const Machine& machine : machines) {
    const Row* dense = fastest(machine.results, "dense/gemv", 500, gpu);
    const Row* half = fastest(machine.results, "larosa/sparse_gemv", 500, gpu);
    // Where no product of a whole matrix was timed, one that keeps every row stands for it.
    if (dense == nullptr) dense = fastest(machine.results, "larosa/sparse_gemv", 0, gpu);
    if (dense == nullptr || half == nullptr) continue;
    const Change found = change(*dense->time_ns, *half->time_ns);
    table.add({escape(machine.name), bandwidth(machine.results, gpu), microseconds(dense->time_ns->median),
               microseconds(half->time_ns->median), times(found.ratio), std::string(name_of(found.verdict))});
  }
  return table.empty()
             ? ""
             : "The product 2560→17920 of one token, bf16, weights from memory, the fastest variant:\n\n" +
                   table.markdown();
}

std::string block_table(const std::vector<Machine>& machines) {
  std::vector<Table::Column> columns = {{"machine", kLeft}, {"sparsity"}};
  for (const char* way : kWays) columns.push_back({way});
  Table table(columns);
  for (const Machine& machine : machines) {
    const auto layers = layers_of(machine.results);
    const auto work = headline_work(layers);
    if (!work) continue;
    for (const int permille : headline_sparsities(*work)) {
      std::vector<std::string> cells = {escape(machine.name), sparsity(permille)};
      for (const char* way : kWays) {
        const Way* found = work->find(permille, way);
        cells.push_back(found == nullptr ? kNone : times(found->faster().ratio));
      }
      table.add(cells);
    }
  }
  return table.empty()
             ? ""
             : "LaRoSA, the linear layers of a phi-2 block, speed over dense by way:\n\n" + table.markdown();
}

std::string cache_table(const std::vector<Machine>& machines, bool gpu) {
  Table table({{"machine", kLeft},
               {"against", kLeft},
               {"granules"},
               {"memory saved"},
               {"steps over the other's"},
               {"traces"}});
  for (const Machine& machine : machines) {
    std::vector<TraceRun> runs;
    for (const TraceRun& run : machine.results.traces) {
      if ((run.device != "cpu") == gpu && !on_absent_device(run.origin, run.device)) runs.push_back(run);
    }
    for (const AgainstCache& one : against_caches(runs)) {
      table.add({escape(machine.name), code(one.other), bytes(one.granule_bytes),
                 signed_percent(one.saved_low) + " to " + signed_percent(one.saved_high),
                 times(one.step_low) + " to " + times(one.step_high),
                 fmt::format("{}", one.yes + one.trade + one.no)});
    }
  }
  return table.empty() ? "" : "vAttention, over the traces:\n\n" + table.markdown();
}

}  // namespace

std::string machines_page(const std::vector<Machine>& machines, const std::vector<std::string>& reports,
                          const std::string& version) {
  std::string text = fmt::format("# {} machines side by side\n\n", machines.size());
  text +=
      "Each machine has a report of its own, with its warnings, checks and commands. Times are compared "
      "within a "
      "machine; across machines, read the ratios. What ran on an emulated device has no time and stands "
      "nowhere "
      "here.\n\n";
  text += machine_table(machines, reports);
  const std::string cpu =
      block_table(machines) + product_table(machines, false) + cache_table(machines, false);
  text += "## CPUs\n\n" + (cpu.empty() ? "Nothing that could be compared was measured.\n\n" : cpu);
  const std::string gpu = product_table(machines, true) + cache_table(machines, true);
  text += "## GPUs\n\n" + (gpu.empty() ? "No machine measured one.\n\n" : gpu);
  return text + fmt::format("Written by report {}.\n", version);
}

}  // namespace trisect::report
