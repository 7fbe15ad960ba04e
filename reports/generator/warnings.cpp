#include "reports/generator/warnings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "reports/generator/compare_figures.hpp"
#include "reports/generator/layers.hpp"
#include "reports/generator/machines.hpp"
#include "reports/generator/markdown.hpp"
#include "reports/generator/units.hpp"

namespace trisect::report {
namespace {

/// A sentence is said once; `detail` is what it means for one input.
struct Warning {
  Warning(std::string text) : sentence(std::move(text)) {}
  Warning(const char* text) : sentence(text) {}
  Warning(std::string text, std::string about) : sentence(std::move(text)), detail(std::move(about)) {}
  std::string sentence, detail;
};
using Warnings = std::vector<Warning>;

Warnings about_origin(const Origin& origin) {
  Warnings found;
  const Build& build = origin.build;
  const Environment& environment = origin.environment;
  if (origin.interrupted) found.emplace_back("The run was interrupted: what came after is missing.");
  if (build.build_type != "Release" && build.build_type != "RelWithDebInfo") {
    found.push_back(fmt::format("Built as {}, without optimisation: the times say nothing about the methods.",
                                build.build_type.empty() ? "an unnamed type" : escape(build.build_type)));
  }
  if (!build.sanitizers.empty() && build.sanitizers != "none") {
    found.push_back(fmt::format("Built with sanitizers ({}): the times say nothing about the methods.",
                                escape(build.sanitizers)));
  }
  if (build.git_dirty)
    found.emplace_back(
        "Built from a tree with uncommitted changes: the revision does not describe the program.");
  if (!environment.threads_pinned) {
    found.emplace_back("Whether threads were pinned is unknown.");
  } else if (!*environment.threads_pinned) {
    found.emplace_back("Threads were not pinned: two may have shared a core.");
  }
  if (environment.governor != "performance") {
    found.push_back(
        fmt::format("The CPU's frequency governor is {}, not performance: the clock may have changed.",
                    escape(environment.governor)));
  }
  if (environment.load && environment.processors && *environment.load > 0.5 * *environment.processors) {
    found.emplace_back(
        fmt::format("Others were computing too: the load average at the start, on {} processors, "
                    "is above half of them.",
                    *environment.processors),
        number(*environment.load));
  }
  return found;
}

void about_noise(const MicrobenchRun& run, Warnings& found) {
  const Row* worst = nullptr;
  long noisy = 0, timed = 0;
  for (const Row& row : run.rows) {
    if (!row.time_ns) continue;
    ++timed;
    if (noise(*row.time_ns) <= kNoiseLimit) continue;
    ++noisy;
    if (worst == nullptr || noise(*row.time_ns) > noise(*worst->time_ns)) worst = &row;
  }
  if (worst == nullptr) return;
  found.push_back(fmt::format(
      "Noise: in {} of {} the quartiles are more than {:.0f} % of the median apart; the worst is {} with {}.",
      noisy, count(timed, "timed row"), kNoiseLimit * 100, code(worst->name),
      percent(noise(*worst->time_ns))));
}

void about_probes(const MicrobenchRun& run, Warnings& found) {
  std::vector<double> probes;
  long flips = 0;
  double worst = 1;
  std::string worst_group;
  for (const Group& group : run.groups) {
    for (const auto& probe : {group.probe_before_gbps, group.probe_after_gbps}) {
      if (probe && *probe > 0) probes.push_back(*probe);
    }
    if (!group.probe_before_gbps || !group.probe_after_gbps) continue;
    const auto [low, high] = std::minmax(*group.probe_before_gbps, *group.probe_after_gbps);
    if (low <= 0 || high / low <= kProbeFlip) continue;
    ++flips;
    if (high / low > worst) {
      worst = high / low;
      worst_group = group.name;
    }
  }
  if (probes.empty()) {
    found.emplace_back("No bandwidth probe was taken: a change of the machine's speed would not show.");
    return;
  }
  if (flips > 0) {
    found.push_back(
        fmt::format("The machine changed speed while measuring: in {} the bandwidth probes before and after "
                    "differ by more than {:.0f} %, at worst {} in {}.",
                    count(flips, "group"), (kProbeFlip - 1) * 100, times(worst), code(worst_group)));
  }
  const auto [low, high] = std::minmax_element(probes.begin(), probes.end());
  if (*high / *low > kProbeFlip) {
    found.push_back(fmt::format(
        "The bandwidth probe ranges from {} to {} GB/s over the run: compare rows of one group only.",
        number(*low), number(*high)));
  }
}

void about_rows(const MicrobenchRun& run, Warnings& found) {
  struct Kind {
    const char* status;
    const char* meaning;
  };
  constexpr Kind kKinds[] = {{"fail", "failed the check and have no time"},
                             {"mistrusted", "have a check that proves nothing, and so no time"},
                             {"error", "ended with an error"},
                             {"skipped", "were skipped, which is not a pass"}};
  for (const Kind& kind : kKinds) {
    std::vector<const Row*> first;  // of each reason
    std::map<std::string, long> rows;
    for (const Row& row : run.rows) {
      if (row.status == kind.status && ++rows[row.reason] == 1) first.push_back(&row);
    }
    for (const Row* row : first) {
      found.push_back(fmt::format("Rows that {}: {} of {}, {}{}{}.", kind.meaning, rows[row->reason],
                                  run.rows.size(), rows[row->reason] > 1 ? "such as " : "", code(row->name),
                                  row->reason.empty() ? "" : " (" + escape(row->reason) + ")"));
    }
  }
}

void about_speed_of_memory(const MicrobenchRun& run, Warnings& found) {
  long above = 0;
  const Row* worst = nullptr;
  for (const Row& row : run.rows) {
    // The modes of a layer declare the dense layer's bytes, which is what they are to beat, not what they
    // read.
    if (row.op == kLayerOp && row.variant != kDense) continue;
    if (row.probe_share().value_or(0) <= kAboveProbe) continue;
    ++above;
    if (worst == nullptr || *row.probe_share() > *worst->probe_share()) worst = &row;
  }
  if (worst != nullptr) {
    found.push_back(
        fmt::format("{} with cold weights read faster than the bandwidth probe, which wants an explanation "
                    "(a cache, or a probe in a slow moment); the most is {} of it, {}.",
                    count(above, "row"), percent(*worst->probe_share()), code(worst->name)));
  }
}

/// phi2's files do not say that a device is emulated, but that the machine has none.
void about_device(const Origin& origin, const std::string& device, Warnings& found) {
  if (on_absent_device(origin, device))
    found.emplace_back(
        fmt::format("It ran on {} of a machine without a GPU, which is an emulated one: its times "
                    "mean nothing.",
                    escape(device)));
}

Warnings about_run(const MicrobenchRun& run) {
  Warnings found;
  if (run.accelerator && run.accelerator->emulated)
    found.emplace_back("The CUDA device was emulated: what ran there was checked, its times are left out.");
  about_noise(run, found);
  about_probes(run, found);
  about_rows(run, found);
  about_speed_of_memory(run, found);
  return found;
}

Warnings about_comparison(const CompareRun& run) {
  Warnings found;
  about_device(run.origin, run.settings.device, found);
  std::vector<std::string> noisy;
  double worst = 0;
  for (const Side& side : run.sides) {
    if (side.check && !side.check->passed)
      found.push_back(fmt::format("The {} side does not compute what its weights say: see its check.",
                                  escape(side.name)));
    const SideFigures figures = figures_of(side, run.prompts.size());
    if (!figures.total) {
      found.push_back(fmt::format("The {} side finished no repetition.", escape(side.name)));
    } else if (figures.total->samples < 3) {
      found.push_back(fmt::format("The {} side has {}: fewer than three, so no time can be judged.",
                                  escape(side.name), count(figures.total->samples, "repetition")));
    } else if (noise(*figures.total) > kNoiseLimit) {
      noisy.push_back(escape(side.name));
      worst = std::max(worst, noise(*figures.total));
    }
  }
  if (!noisy.empty())
    found.push_back(
        fmt::format("Noise: the quartiles of the total time are up to {} of the median apart ({}).",
                    percent(worst), fmt::join(noisy, ", ")));
  return found;
}

Warnings about_sweep(const SweepRun& run) {
  Warnings found;
  about_device(run.origin, run.device, found);
  const auto lost = std::count_if(run.points.begin(), run.points.end(),
                                  [](const SweepPoint& point) { return !point.perplexity; });
  if (lost > 0)
    found.emplace_back(
        fmt::format("Points of the sweep whose perplexity is no number: {} of {}.", lost, run.points.size()));
  return found;
}

Warnings about_trace(const TraceRun& run) {
  Warnings found;
  about_device(run.origin, run.device, found);
  for (const TraceCache& cache : run.caches) {
    if (cache.disagreement > kAccountLimit) {
      found.push_back(fmt::format("{}: committed bytes and the kernel's account differ by {}.",
                                  escape(cache.name), percent(cache.disagreement)));
    }
    for (const auto& [other, against] : cache.against) {
      const TraceCache* beside = run.find(other);
      // Batches that differ round differently; where they were the same, tokens must be.
      if (cache.name < other || against.same_ids || cache.preemptions > 0 || beside->preemptions > 0)
        continue;
      found.push_back(
          fmt::format("{} and {} generated different tokens.", escape(other), escape(cache.name)));
    }
  }
  return found;
}

void about_differences(const Results& results, std::vector<std::string>& found) {
  std::set<std::string> revisions, flags;
  for (const Origin* origin : results.origins()) {
    revisions.insert(origin->build.git_hash);
    flags.insert(origin->build.compiler + origin->build.flags);
  }
  if (machines_of(results).size() > 1)
    found.emplace_back("The inputs come from different machines: do not compare across them.");
  if (revisions.size() > 1) found.emplace_back("The inputs come from different revisions of the program.");
  if (flags.size() > 1) found.emplace_back("The inputs were compiled differently.");
}

/// "`a.json`, `b.json`", with what the warning means for each behind it.
std::string inputs_text(const std::vector<std::pair<std::string, std::string>>& inputs, std::size_t all) {
  const bool bare =
      std::all_of(inputs.begin(), inputs.end(), [](const auto& one) { return one.second.empty(); });
  if (bare && all > 2 && inputs.size() == all) return "all inputs";
  std::string text;
  for (const auto& [input, detail] : inputs)
    text += (text.empty() ? "" : ", ") + code(input) + (detail.empty() ? "" : " " + detail);
  return text;
}

}  // namespace

std::vector<std::string> warnings_of(const Results& results) {
  // Sentence, and the inputs that it is about.
  std::vector<std::pair<std::string, std::vector<std::pair<std::string, std::string>>>> merged;
  const auto add = [&](const Origin& origin, const Warnings& warnings) {
    for (const Warning& warning : warnings) {
      auto same = std::find_if(merged.begin(), merged.end(),
                               [&](const auto& entry) { return entry.first == warning.sentence; });
      if (same == merged.end()) same = merged.insert(merged.end(), {warning.sentence, {}});
      same->second.emplace_back(origin.files.front().path, warning.detail);
    }
  };
  for (const Origin* origin : results.origins()) add(*origin, about_origin(*origin));
  for (const MicrobenchRun& run : results.runs) add(run.origin, about_run(run));
  for (const CompareRun& run : results.comparisons) add(run.origin, about_comparison(run));
  for (const SweepRun& run : results.sweeps) add(run.origin, about_sweep(run));
  for (const TraceRun& run : results.traces) add(run.origin, about_trace(run));

  std::vector<std::string> found;
  about_differences(results, found);
  const std::size_t all = results.origins().size();
  for (const auto& [sentence, inputs] : merged)
    found.push_back(fmt::format("{} ({})", sentence, inputs_text(inputs, all)));
  return found;
}

}  // namespace trisect::report
