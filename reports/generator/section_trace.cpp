#include <fmt/format.h>

#include <algorithm>

#include "reports/generator/markdown.hpp"
#include "reports/generator/pictures_trace.hpp"
#include "reports/generator/sections.hpp"
#include "reports/generator/trace_verdict.hpp"
#include "reports/generator/units.hpp"

namespace trisect::report {
namespace {

constexpr char kReading[] =
    "Requests arrive by decode steps, share one batch, and leave; every KV cache serves the same trace, step "
    "by "
    "step in turns. Reserved is address space, committed the memory behind it, used what tokens of running "
    "requests fill of that, parked what is kept for requests to come. Averages are over steps; peaks are the "
    "largest of each on its own, and the peak committed counts both places of a copy. Savings are one minus "
    "the "
    "quotient of the averages of committed bytes, negative where more was needed. A step's ratio is the "
    "median "
    "over steps that both decoded.\n\n";

std::string limit(const std::optional<double>& value, const char* without) {
  return value ? bytes(*value) : without;
}

std::string setting_lines(const TraceRun& run) {
  return fmt::format(
      "{} Model: {} (hash `{}`){}, weights and cache {}, device {}, {}. {}, at most {} at a time with up to "
      "{} "
      "of "
      "{} each. Memory comes in granules of {}; budget {}; {} may stay parked in `paged` and `vattention`, "
      "which "
      "commits {} ahead.\n\n",
      escape(run.description), escape(run.model.name), escape(run.model.hash),
      run.larosa.empty() ? "" : " with LaRoSA (" + escape(run.larosa) + ")", escape(run.dtype),
      escape(run.device), count(run.threads, "thread"), capitalized(count(run.requests, "request")),
      run.slots, count(run.context, "token"), bytes(run.token_bytes), bytes(run.granule_bytes),
      limit(run.budget, "none"), limit(run.parked_budget, "everything"), count(run.ahead_tokens, "token"));
}

std::string memory_table(const TraceRun& run) {
  Table table({{"KV cache", kLeft},
               {"", kLeft},
               {"reserved"},
               {"committed"},
               {"used"},
               {"parked"},
               {"used of committed"},
               {"neither used nor parked"}});
  for (const TraceCache& cache : run.caches) {
    table.add({cache.name, "average", bytes(cache.average.reserved), bytes(cache.average.committed),
               bytes(cache.average.used), bytes(cache.average.parked), percent(cache.utilisation),
               bytes(cache.fragmentation)});
    table.add({"", "peak", bytes(cache.peak.reserved), bytes(cache.highest), bytes(cache.peak.used),
               bytes(cache.peak.parked), "", ""});
  }
  return table.markdown();
}

std::string time_text(const std::optional<double>& value) { return value ? seconds(*value) : kNone; }

/// What memory management costs; ratios are to the first cache.
std::string time_table(const TraceRun& run) {
  const std::string first = run.caches.front().name;
  Table table({{"KV cache", kLeft},
               {"tokens/s"},
               {"step p50"},
               {"step p99"},
               {"step, ratio to " + first},
               {"foreground"},
               {"of decoding and prefill"},
               {"background"},
               {"commits"},
               {"of which in background"},
               {"decommits"},
               {"copied"},
               {"page faults"},
               {"of steady steps"}});
  for (const TraceCache& cache : run.caches) {
    const TraceCache::Against* against = cache.beside(first);
    const double all = cache.decode_s + cache.prefill_s;
    table.add({cache.name, optional_number(cache.tokens_per_s), time_text(cache.step_p50_s),
               time_text(cache.step_p99_s),
               against != nullptr && against->step_ratio ? times(*against->step_ratio) : kNone,
               seconds(cache.foreground_s), all > 0 ? percent(cache.foreground_s / all) : kNone,
               seconds(cache.background_s), fmt::format("{}", cache.commits + cache.background_commits),
               fmt::format("{}", cache.background_commits), fmt::format("{}", cache.decommits),
               bytes(cache.copied), fmt::format("{}", cache.steady_faults),
               fmt::format("{}", cache.steady_steps)});
  }
  return table.markdown() +
         "Foreground is the time that steps wait for the cache. Page faults are those of the computing "
         "threads in "
         "steps that decode while no request comes or goes; memory that they commit by a call counts "
         "too.\n\n";
}

std::string saving_table(const TraceRun& run) {
  std::vector<Table::Column> columns = {{"committed bytes saved by", kLeft}};
  for (const TraceCache& other : run.caches) columns.push_back({"against " + other.name});
  Table table(columns);
  for (const TraceCache& cache : run.caches) {
    std::vector<std::string> cells = {cache.name};
    for (const TraceCache& other : run.caches) {
      const TraceCache::Against* against = cache.beside(other.name);
      cells.push_back(against != nullptr && against->saved ? signed_percent(*against->saved) : "");
    }
    table.add(cells);
  }
  return table.markdown();
}

/// Who was served, whether the caches agree with each other and with the kernel.
std::string check_lines(const TraceRun& run) {
  std::string text;
  for (const TraceCache& cache : run.caches) {
    bool same = true;
    for (const auto& [other, against] : cache.against) same = same && against.same_ids;
    text += fmt::format(
        "- {}: {} finished, {} refused, {}; tokens {}; account against the kernel's: largest difference {} "
        "of {}; "
        "{} committed at the end.\n",
        cache.name, cache.finished, cache.refused, count(cache.preemptions, "preemption"),
        cache.against.empty() ? "compared with nobody's"
        : same                ? "as on every other cache"
                              : "differ from another cache's",
        percent(cache.disagreement), count(cache.accounts, "sample"), bytes(cache.left));
  }
  return text + "\n";
}

std::string trace_part(const TraceRun& run, const Results& results, int number, const std::string& prefix,
                       Album& album) {
  std::string text = fmt::format("### Trace {}\n\n", trace_label(run, results.traces)) + setting_lines(run);
  const bool any = std::any_of(run.caches.begin(), run.caches.end(),
                               [](const TraceCache& cache) { return !cache.over_time.empty(); });
  if (!any) return text + "The run ended before its first step.\n\n";
  Picture picture = memory_picture(run, number, prefix);
  if (!picture.script.empty()) text += album.add(std::move(picture));
  text += memory_table(run) + saving_table(run) + time_table(run);
  return text + details("Requests, tokens and the kernel's account", check_lines(run)) + "Again:\n\n" +
         code_block(shell_command(run.origin.command)) + "\n";
}

/// Every trace on one page: what vattention saves against each cache, with its steps' ratio.
std::string overview(const Results& results) {
  const auto all = judge_traces(results.traces);
  if (all.empty()) return "";
  std::vector<std::string> others;
  for (const TraceJudgement& one : all) {
    if (std::find(others.begin(), others.end(), one.other) == others.end()) others.push_back(one.other);
  }
  std::vector<Table::Column> columns = {{"trace", kLeft}, {"tokens a request, average"}};
  for (const std::string& other : others) columns.push_back({"against " + other});
  Table table(columns);
  for (const TraceRun& run : results.traces) {
    const TraceCache* cache = run.find(kVattention);
    if (cache == nullptr) continue;
    std::vector<std::string> cells = {trace_label(run, results.traces),
                                      fmt::format("{:.0f}", mean_length(run, *cache))};
    for (const std::string& other : others) {
      const auto found = std::find_if(all.begin(), all.end(), [&](const TraceJudgement& one) {
        return one.run == &run && one.other == other;
      });
      cells.push_back(found == all.end() ? kNone
                                         : signed_percent(found->saved) + ", " + times(found->step_ratio));
    }
    table.add(cells);
  }
  return "Committed bytes that vattention saves, and its step time over the other's:\n\n" + table.markdown();
}

const Row* pair_of(const MicrobenchRun& run, const Row& contiguous, const std::string& variant) {
  for (const Row& row : run.rows) {
    if (row.op == contiguous.op && row.problem == contiguous.problem && row.dtype == contiguous.dtype &&
        row.variant == variant)
      return &row;
  }
  return nullptr;
}

/// Decode attention on the two layouts, wherever both have a time.
std::string attention_table(const Results& results) {
  Table table({{"batch"},
               {"context"},
               {"type", kLeft},
               {"contiguous", kLeft},
               {"contiguous µs"},
               {"paged µs"},
               {"speed over paged"},
               {"verdict", kLeft},
               {"contiguous, % of probe"},
               {"paged, % of probe"}});
  for (const MicrobenchRun& run : results.runs) {
    for (const Row& row : run.rows) {
      const std::size_t at = row.variant.find("contiguous");
      if (row.op != "vattention/decode_attention" || at == std::string::npos || !row.time_ns) continue;
      std::string other = row.variant;
      other.replace(at, std::string("contiguous").size(), "paged");
      const Row* paged = pair_of(run, row, other);
      if (paged == nullptr || !paged->time_ns) continue;
      const Change found = change(*paged->time_ns, *row.time_ns);
      table.add({fmt::format("{}", row.field("batch")), fmt::format("{}", row.field("context")),
                 escape(row.dtype), code(row.variant), microseconds(row.time_ns->median),
                 microseconds(paged->time_ns->median), times(found.ratio),
                 std::string(name_of(found.verdict)), share_text(row), share_text(*paged)});
    }
  }
  if (table.empty()) return "";
  return "### Attention over contiguous and paged rows\n\nOne new token for each sequence of a batch. Paged "
         "rows "
         "lie in pages of 16 tokens, strewn over the pool; contiguous ones in a slot, its layers "
         "interleaved. "
         "What the indirection costs is all that vAttention can save against paging in time.\n\n" +
         table.markdown();
}

/// What the kernel takes for memory, by the way of asking for it.
std::string memory_cost_table(const Results& results) {
  Table table({{"committed"},
               {"how", kLeft},
               {"reserve µs"},
               {"commit µs"},
               {"commit, µs a 4 KiB"},
               {"reclaim µs"},
               {"release µs"}});
  const auto stage = [](const Row& row, const char* name) {
    const auto found = row.stage_ns.find(name);
    return found == row.stage_ns.end() ? std::optional<double>() : std::optional(found->second.median / 1e3);
  };
  for (const MicrobenchRun& run : results.runs) {
    for (const Row& row : run.rows) {
      const auto commit = stage(row, "commit");
      if (row.op != "vattention/memory_cycle" || !row.time_ns || !commit || row.variant == "ref") continue;
      const int kib = row.field("kib");
      table.add({fmt::format("{} KiB", kib), code(row.variant), optional_number(stage(row, "reserve")),
                 number(*commit), number(*commit / std::max(1.0, kib / 4.0)),
                 optional_number(stage(row, "reclaim")), optional_number(stage(row, "release"))});
    }
  }
  if (table.empty()) return "";
  return "### What memory costs\n\nAddresses are reserved, the first so many KiB of them committed, later "
         "given "
         "back and the addresses released. `touch` takes a fault for each page, `populate` one call for all; "
         "`huge` commits whole granules of 2 MiB. Which cache holds how much is the traces' matter, "
         "below.\n\n" +
         table.markdown();
}

}  // namespace

std::string traces_section(const Results& results, const std::string& prefix, Album& album) {
  const std::string kernels = attention_table(results) + memory_cost_table(results);
  if (results.traces.empty() && kernels.empty()) return "";
  std::string text = "## KV caches under traffic\n\n";
  if (!results.traces.empty()) {
    text += kReading + overview(results);
    if (const std::string verdict = trace_verdict(results.traces); !verdict.empty()) text += verdict + "\n\n";
  }
  text += kernels;
  int number = 0;
  for (const TraceRun& run : results.traces) text += trace_part(run, results, ++number, prefix, album);
  return text;
}

}  // namespace trisect::report
