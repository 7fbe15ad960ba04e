#include "integration/runner/trace_figures.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "integration/phi2/model/content_hash.hpp"
#include "integration/runner/terminal.hpp"

namespace trisect::runner {
namespace {

using phi2::Outcome;
using vattention::KvUsage;

constexpr std::size_t kPoints = 256;  // of the memory over time that a file keeps

double seconds_of(const TraceRun& run) { return run.prefill_s + sum(run.decode_s); }

/// Share of the other's committed bytes, averaged over time, that this one did not need; negative when it
/// needed more.
double saving(const TraceRun& run, const TraceRun& other) {
  return 1 - static_cast<double>(run.meter.summary().average.committed) /
                 static_cast<double>(other.meter.summary().average.committed);
}

Json usage_json(const KvUsage& usage) {
  return {{"reserved_bytes", usage.reserved},
          {"committed_bytes", usage.committed},
          {"used_bytes", usage.used},
          {"parked_bytes", usage.parked},
          {"claimed_bytes", usage.claimed}};
}

Json points_json(const TraceRun& run) {
  Json list = Json::array();
  const std::size_t stride = (run.points.size() + kPoints - 1) / std::max<std::size_t>(kPoints, 1);
  for (std::size_t i = 0; i < run.points.size(); i += std::max<std::size_t>(stride, 1)) {
    const TraceRun::Point& point = run.points[i];
    Json json = usage_json(point.usage);
    json["step"] = point.step;
    json["running"] = point.running;
    list.push_back(json);
  }
  return list;
}

Json latency_json(const TraceRun& run) {
  if (run.decode_s.empty()) return {};
  return {{"steps", run.decode_s.size()},
          {"p50_s", median(run.decode_s)},
          {"p99_s", quantile(run.decode_s, 0.99)}};
}

Json work_json(const vattention::KvWork& work) {
  return {{"foreground_s", work.foreground_s}, {"background_s", work.background_s},
          {"commits", work.commits},           {"background_commits", work.background_commits},
          {"decommits", work.decommits},       {"copied_bytes", work.copied_bytes},
          {"wiped_bytes", work.wiped_bytes}};
}

/// Of everything that was generated, so that two files can be compared.
std::string ids_hash(const TraceRun& run) {
  std::string text;
  for (const phi2::Served& served : run.server->served())
    text += fmt::format("{}\n", fmt::join(served.ids, " "));
  return phi2::hash_name(phi2::hash_text(text));
}

Json run_json(const TraceRun& run, const std::vector<TraceRun>& runs) {
  const vattention::UsageMeter::Summary summary = run.meter.summary();
  const TraceCounts counts = counts_of(run);
  Json against = Json::object();
  for (const TraceRun& other : runs) {
    if (&other == &run) continue;
    against[other.policy] = {{"saved_fraction", number_json(saving(run, other))},
                             {"step_ratio", number_json(paired_step_ratio(run, other))},
                             {"same_ids", same_ids(run, other)}};
  }
  Json accounts = Json::array();
  for (const TraceRun::Account& one : run.accounts) {
    accounts.push_back(
        {{"step", one.step}, {"committed_bytes", one.committed}, {"resident_bytes", one.resident}});
  }
  Json peak = usage_json(summary.peak);
  peak["highest_bytes"] = summary.peak.peak;
  Json json = {
      {"kv_cache", run.policy},
      {"requests",
       {{"finished", counts.finished}, {"refused", counts.refused}, {"preemptions", counts.preemptions}}},
      {"tokens_out", run.generated},
      {"prefill_s", run.prefill_s},
      {"decode_s", sum(run.decode_s)},
      {"tokens_per_s", number_json(static_cast<double>(run.generated) / seconds_of(run))},
      {"step", latency_json(run)},
      {"steady", {{"steps", run.steady_steps}, {"page_faults", run.steady_faults}}},
      {"peak", peak},
      {"average", usage_json(summary.average)},
      {"utilisation", summary.utilisation},
      {"fragmentation",
       {{"peak_bytes", summary.peak_fragmentation}, {"average_bytes", summary.average_fragmentation}}},
      {"ids_hash", ids_hash(run)},
      {"work", work_json(run.work)},
      {"against", against},
      {"kernel_account", accounts},
      {"over_time", points_json(run)}};
  if (run.returned) {
    json["returned"] = {{"committed_bytes", run.returned->committed}, {"freed_bytes", run.returned->freed}};
  }
  return json;
}

}  // namespace

TraceCounts counts_of(const TraceRun& run) {
  TraceCounts counts;
  for (const phi2::Served& served : run.server->served()) {
    counts.finished += served.outcome == Outcome::kFinished;
    counts.refused += served.outcome == Outcome::kRefused;
    counts.preemptions += served.preemptions;
  }
  return counts;
}

bool same_ids(const TraceRun& a, const TraceRun& b) {
  for (std::size_t i = 0; i < a.server->served().size(); ++i) {
    const phi2::Served &one = a.server->served()[i], &other = b.server->served()[i];
    if (one.outcome == Outcome::kFinished && other.outcome == Outcome::kFinished && one.ids != other.ids)
      return false;
  }
  return true;
}

double largest_disagreement(const TraceRun& run, std::size_t slack) {
  double largest = 0;
  const auto compare = [&](std::size_t a, std::size_t b) {
    const auto more = static_cast<double>(std::max(a, b)), less = static_cast<double>(std::min(a, b));
    if (more > 0) largest = std::max(largest, (more - less) / more);
  };
  for (const TraceRun::Account& one : run.accounts) compare(one.committed, one.resident);
  if (run.returned) {
    const auto [committed, freed] = *run.returned;
    compare(committed, freed > committed ? std::max(committed, freed - std::min(freed, slack)) : freed);
  }
  return largest;
}

double paired_step_ratio(const TraceRun& a, const TraceRun& b) {
  std::vector<double> ratios;
  for (std::size_t i = 0, j = 0; i < a.decode_s.size() && j < b.decode_s.size();) {
    if (a.decode_step[i] == b.decode_step[j])
      ratios.push_back(a.decode_s[i++] / b.decode_s[j++]);
    else if (a.decode_step[i] < b.decode_step[j])
      ++i;
    else
      ++j;
  }
  return ratios.empty() ? 0 : median(ratios);
}

std::string trace_table(const std::vector<TraceRun>& runs) {
  std::string text = fmt::format("{:<11}{:>10}{:>10}{:>10}{:>10}{:>7}{:>9}{:>10}{:>10}{:>10}{:>8}{:>9}\n",
                                 "KV cache", "committed", "peak", "used", "parked", "util.", "tokens/s",
                                 "step p50", "p99", "commits", "ratio", "requests");
  for (const TraceRun& run : runs) {
    const auto summary = run.meter.summary();
    const TraceCounts counts = counts_of(run);
    const double seconds = seconds_of(run);
    text += fmt::format("{:<11}{:>10}{:>10}{:>10}{:>10}{:>6.0f}%{:>9.1f}{:>10}{:>10}{:>10}{:>8.3f}{:>5}+{}\n",
                        run.policy, bytes_text(static_cast<double>(summary.average.committed)),
                        bytes_text(static_cast<double>(summary.peak.peak)),
                        bytes_text(static_cast<double>(summary.average.used)),
                        bytes_text(static_cast<double>(summary.average.parked)), 100 * summary.utilisation,
                        seconds > 0 ? static_cast<double>(run.generated) / seconds : 0.0,
                        run.decode_s.empty() ? "" : seconds_text(median(run.decode_s)),
                        run.decode_s.empty() ? "" : seconds_text(quantile(run.decode_s, 0.99)),
                        seconds_text(run.work.foreground_s), paired_step_ratio(run, runs.front()),
                        counts.finished, counts.refused);
  }
  text +=
      "bytes are averages over steps but for the peak; ratio: paired median step time to the first row's; "
      "requests: finished + refused\n";
  if (runs.size() < 2) return text;
  text += fmt::format("\n{:<22}", "committed bytes saved");
  for (const TraceRun& other : runs) text += fmt::format("{:>15}", "vs " + other.policy);
  text += '\n';
  for (const TraceRun& run : runs) {
    text += fmt::format("{:<22}", run.policy);
    for (const TraceRun& other : runs)
      text +=
          &run == &other ? fmt::format("{:>15}", "") : fmt::format("{:>14.1f}%", 100 * saving(run, other));
    text += '\n';
  }
  return text;
}

Json trace_runs_json(const std::vector<TraceRun>& runs) {
  Json list = Json::array();
  for (const TraceRun& run : runs) list.push_back(run_json(run, runs));
  return list;
}

}  // namespace trisect::runner
