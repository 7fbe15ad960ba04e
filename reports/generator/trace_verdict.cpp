#include "reports/generator/trace_verdict.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "reports/generator/markdown.hpp"
#include "reports/generator/units.hpp"

namespace trisect::report {
namespace {

std::string range(double low, double high, std::string (*format)(double)) {
  const std::string first = format(low), last = format(high);
  return first == last ? first : first + " to " + last;
}

/// "12.0 % to 80.1 % less memory", "memory within 1 %", "3.0 % less to 40.0 % more memory".
std::string memory_text(const std::vector<const TraceJudgement*>& some) {
  const auto [least, most] = std::minmax_element(
      some.begin(), some.end(), [](const auto* a, const auto* b) { return a->saved < b->saved; });
  const double low = (*least)->saved, high = (*most)->saved;
  if (low > -kSameMemory && high < kSameMemory)
    return fmt::format("memory within {:.0f} %", 100 * kSameMemory);
  if (low >= 0) return range(low, high, percent) + " less memory";
  if (high <= 0) return range(0.0 - high, 0.0 - low, percent) + " more memory";
  return fmt::format("memory from {} less to {} more", percent(high), percent(-low));
}

std::string step_text(const std::vector<const TraceJudgement*>& some) {
  const auto [least, most] = std::minmax_element(
      some.begin(), some.end(), [](const auto* a, const auto* b) { return a->step_ratio < b->step_ratio; });
  return "steps " + range((*least)->step_ratio, (*most)->step_ratio, times);
}

/// "static on chat and long (12.0 % less memory, steps 1.01×)", for each cache.
std::string list(const std::vector<TraceJudgement>& all, Pays pays, const std::vector<TraceRun>& runs) {
  std::vector<std::string> order;
  std::map<std::string, std::vector<const TraceJudgement*>> by_cache;
  for (const TraceJudgement& one : all) {
    if (one.pays != pays) continue;
    if (by_cache[one.other].empty()) order.push_back(one.other);
    by_cache[one.other].push_back(&one);
  }
  std::string text;
  for (const std::string& other : order) {
    const auto& some = by_cache[other];
    std::string where;
    for (std::size_t i = 0; i < some.size(); ++i)
      where += (i == 0 ? "" : i + 1 == some.size() ? " and " : ", ") + trace_label(*some[i]->run, runs);
    text += fmt::format("{}{} on {} ({}, {})", text.empty() ? "" : "; ", other, where, memory_text(some),
                        step_text(some));
  }
  return text;
}

/// What the unit of commitment has to do with it.
std::string granule_sentence(const TraceRun& run, const std::vector<TraceRun>& runs) {
  const TraceCache* cache = run.find(kVattention);
  const double length = cache == nullptr ? 0 : mean_length(run, *cache);
  if (length <= 0 || run.token_bytes <= 0) return "";
  const double granules = 2 * run.granule_bytes / run.token_bytes;
  if (granules <= 0.1 * length) return "";
  return fmt::format(
      " On {} two granules, of keys and of values, hold {:.0f} tokens, and a running request has {:.0f} on "
      "average: what it does not fill of them is lost.",
      trace_label(run, runs), granules, length);
}

}  // namespace

std::vector<TraceJudgement> judge_traces(const std::vector<TraceRun>& runs) {
  std::vector<TraceJudgement> all;
  for (const TraceRun& run : runs) {
    const TraceCache* cache = run.find(kVattention);
    if (cache == nullptr) continue;
    for (const TraceCache& other : run.caches) {
      const TraceCache::Against* against = cache->beside(other.name);
      if (against == nullptr || !against->saved || !against->step_ratio || *against->step_ratio <= 0)
        continue;
      TraceJudgement one{&run, other.name, *against->saved, *against->step_ratio};
      const int worse = std::min(one.memory(), one.time()), better = std::max(one.memory(), one.time());
      one.pays = better <= 0 ? Pays::kNo : worse < 0 ? Pays::kTrade : Pays::kYes;
      all.push_back(one);
    }
  }
  return all;
}

double mean_length(const TraceRun& run, const TraceCache& cache) {
  double used = 0, running = 0;
  for (const TraceCache::Point& point : cache.over_time) {
    used += point.bytes.used;
    running += point.running;
  }
  return running > 0 && run.token_bytes > 0 ? used / running / run.token_bytes : 0;
}

std::string trace_label(const TraceRun& run, const std::vector<TraceRun>& runs) {
  const bool same = std::all_of(runs.begin(), runs.end(),
                                [&](const TraceRun& other) { return other.granule == runs.front().granule; });
  std::string label = escape(run.name);
  if (!same && run.granule != "small") label += fmt::format(" with granules of {}", bytes(run.granule_bytes));
  if (run.larosa != runs.front().larosa)
    label += run.larosa.empty() ? " without LaRoSA" : fmt::format(" with LaRoSA ({})", escape(run.larosa));
  if (run.model.name != runs.front().model.name) label += fmt::format(" ({})", escape(run.model.name));
  return label;
}

std::string trace_models(const std::vector<TraceRun>& runs) {
  std::vector<std::string> names;
  for (const TraceRun& run : runs) {
    const std::string name = escape(run.model.name);
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  return fmt::format("{}", fmt::join(names, " and "));
}

std::string trace_verdict(const std::vector<TraceRun>& runs) {
  const std::vector<TraceJudgement> all = judge_traces(runs);
  if (all.empty()) return "";
  const std::string yes = list(all, Pays::kYes, runs), trade = list(all, Pays::kTrade, runs),
                    no = list(all, Pays::kNo, runs);
  std::string text = fmt::format("**vAttention {} on {}.**",
                                 yes.empty() ? (trade.empty() ? "does not pay" : "is a trade at best")
                                 : no.empty() && trade.empty() ? "pays against every cache it ran beside"
                                                               : "pays against some caches and not others",
                                 trace_models(runs));
  if (!yes.empty()) text += " It pays against " + yes + ".";
  if (!trade.empty()) text += " It gives one for the other against " + trade + ".";
  text += no.empty() ? "" : " It does not pay against " + no + ".";
  for (const TraceRun& run : runs) text += granule_sentence(run, runs);
  return text;
}

}  // namespace trisect::report
