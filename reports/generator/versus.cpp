#include "reports/generator/versus.hpp"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "kernels/core/error.hpp"
#include "reports/generator/pairs.hpp"
#include "reports/generator/units.hpp"

namespace trisect::report {
namespace {

// How far a centre must be from 1 to be called faster or slower. A family's noise averages out, a row's does
// not, and a few rows can all lie badly in one process; runs that did not take turns differ by whatever the
// machine did in between.
constexpr double kFamilyMargin = 0.03, kRowMargin = 0.05, kFewRowsMargin = 0.10, kUnpairedMargin = 0.10;
constexpr double kControlMargin = 0.05;
constexpr char kReference[] = "ref";

std::string text_of(const std::optional<double>& value) { return value ? number(*value) : "unknown"; }

/// What makes times incomparable at all.
void refuse_foreign(const Origin& base, const Origin& fresh) {
  const auto pinned = [](const Origin& origin) {
    return origin.environment.threads_pinned ? (*origin.environment.threads_pinned ? "yes" : "no")
                                             : "unknown";
  };
  const std::tuple<const char*, std::string, std::string> fields[] = {
      {"environment.cpu", base.environment.cpu, fresh.environment.cpu},
      {"environment.processors", text_of(base.environment.processors), text_of(fresh.environment.processors)},
      {"environment.threads", text_of(base.environment.threads), text_of(fresh.environment.threads)},
      {"environment.threads_pinned", pinned(base), pinned(fresh)},
      {"environment.llc_bytes", text_of(base.environment.llc_bytes), text_of(fresh.environment.llc_bytes)},
      {"environment.gpu", base.environment.gpu, fresh.environment.gpu},
      {"build.build_type", base.build.build_type, fresh.build.build_type},
      {"build.sanitizers", base.build.sanitizers, fresh.build.sanitizers}};
  for (const auto& [field, one, other] : fields) {
    if (one == other) continue;
    environment_error("{} and {} cannot be compared: {} is '{}' in the one and '{}' in the other",
                      base.files.front().path, fresh.files.front().path, field, one, other);
  }
}

std::vector<std::string> differences_of(const MicrobenchRun& base, const MicrobenchRun& fresh) {
  std::vector<std::string> found;
  const auto note = [&](const std::string& field, const std::string& one, const std::string& other) {
    if (one != other) found.push_back(fmt::format("{}: {} → {}", field, one, other));
  };
  const Build &a = base.origin.build, &b = fresh.origin.build;
  const auto revision = [](const Build& build) {
    return build.git_hash + (build.git_dirty ? " with uncommitted changes" : "");
  };
  note("git revision", revision(a), revision(b));
  note("version", a.version, b.version);
  note("compiler", a.compiler, b.compiler);
  note("flags", a.flags, b.flags);
  note("shapes", base.shapes + " " + base.shapes_fnv1a64, fresh.shapes + " " + fresh.shapes_fnv1a64);
  for (const auto& [key, value] : base.origin.environment.all) {
    if (key == "load_average") continue;
    for (const auto& [other_key, other] : fresh.origin.environment.all) {
      if (other_key == key) note(key, value, other);
    }
  }
  return found;
}

std::string status_of(const Row& row) {
  return row.reason.empty() ? row.status : row.status + ": " + row.reason;
}

/// Why the two rows' times say nothing about each other, or nothing.
std::string obstacle(const Row* base, const Row* fresh) {
  if (base == nullptr) return "only in the new run";
  if (fresh == nullptr) return "only in the base";
  if (!base->time_ns) return "base: " + status_of(*base);
  if (!fresh->time_ns) return "new: " + status_of(*fresh);
  if (base->bytes != fresh->bytes || base->flops != fresh->flops) return "the declared work differs";
  if (base->weights != fresh->weights)
    return fmt::format("weights are {} in the base and {} in the new run", base->weights, fresh->weights);
  return "";
}

LogRatios pairs_of(const Row& base, const Row& fresh) {
  LogRatios pairs;
  for (const auto& [repetition, ns] : base.sample_ns) {
    const auto other = fresh.sample_ns.find(repetition);
    if (other != fresh.sample_ns.end()) pairs.push_back(std::log(ns / other->second));
  }
  return pairs;
}

const Group* group_of(const MicrobenchRun& run, const std::string& name) {
  const auto found = std::find_if(run.groups.begin(), run.groups.end(),
                                  [&](const Group& group) { return group.name == name; });
  return found == run.groups.end() ? nullptr : &*found;
}

std::vector<double> probes_of(const Group* group) {
  std::vector<double> probes;
  if (group == nullptr) return probes;
  for (const auto& probe : {group->probe_before_gbps, group->probe_after_gbps}) {
    if (probe && *probe > 0) probes.push_back(*probe);
  }
  return probes;
}

/// Facing quartiles, and as much wider as the machine itself was faster or slower around the rows.
Ratio unpaired_ratio(const Row& base, const Row& fresh, const std::vector<double>& base_probes,
                     const std::vector<double>& new_probes) {
  Ratio ratio = speedup(*base.time_ns, *fresh.time_ns);
  double least = 1, most = 1;
  for (const double one : base_probes) {
    for (const double other : new_probes) {
      least = std::min(least, other / one);
      most = std::max(most, other / one);
    }
  }
  return {ratio.centre, ratio.low / most, ratio.high / least};
}

/// The probes of both runs, group by group.
std::optional<Ratio> control_of(const MicrobenchRun& base, const MicrobenchRun& fresh) {
  LogRatios pairs;
  for (const Group& group : base.groups) {
    const Group* other = group_of(fresh, group.name);
    if (other == nullptr) continue;
    const auto add = [&](const std::optional<double>& one, const std::optional<double>& two) {
      if (one && two && *one > 0 && *two > 0) pairs.push_back(std::log(*two / *one));
    };
    add(group.probe_before_gbps, other->probe_before_gbps);
    add(group.probe_after_gbps, other->probe_after_gbps);
  }
  return pairs.empty() ? std::nullopt : std::optional(median_ratio(pairs));
}

class Comparer {
 public:
  Comparer(const MicrobenchRun& base, const MicrobenchRun& fresh) : base_(base), new_(fresh) {
    versus_.paired = !base.pair.empty() && base.pair == fresh.pair;
    versus_.base = &base.origin;
    versus_.fresh = &fresh.origin;
    versus_.differences = differences_of(base, fresh);
    versus_.control = control_of(base, fresh);
  }

  Versus run() {
    for (const Row& row : base_.rows) add(&row, find(new_, row.name));
    for (const Row& row : new_.rows) {
      if (find(base_, row.name) == nullptr) add(nullptr, &row);
    }
    for (std::size_t i = 0; i < versus_.families.size(); ++i) judge(versus_.families[i], parts_[i]);
    return std::move(versus_);
  }

 private:
  /// What a family's verdict is made of.
  struct Parts {
    std::vector<LogRatios> pairs;
    std::vector<Ratio> ratios;
  };

  static const Row* find(const MicrobenchRun& run, const std::string& name) {
    const auto found =
        std::find_if(run.rows.begin(), run.rows.end(), [&](const Row& row) { return row.name == name; });
    return found == run.rows.end() ? nullptr : &*found;
  }

  std::size_t family(const std::string& name) {
    for (std::size_t i = 0; i < versus_.families.size(); ++i) {
      if (versus_.families[i].name == name) return i;
    }
    versus_.families.emplace_back().name = name;
    parts_.emplace_back();
    return parts_.size() - 1;
  }

  void add(const Row* base, const Row* fresh) {
    const Row& any = base != nullptr ? *base : *fresh;
    if (any.variant == kReference) return;
    const std::size_t at = family(any.family());
    RowVersus row;
    row.name = any.name;
    row.why = obstacle(base, fresh);
    row.broke = base != nullptr && fresh != nullptr && base->status == "pass" &&
                (fresh->status == "fail" || fresh->status == "error" || fresh->status == "mistrusted");
    if (base != nullptr && base->time_ns) row.base_ns = base->time_ns->median;
    if (fresh != nullptr && fresh->time_ns) row.new_ns = fresh->time_ns->median;
    if (row.why.empty()) compare(*base, *fresh, row, parts_[at]);
    versus_.families[at].rows.push_back(std::move(row));
  }

  void compare(const Row& base, const Row& fresh, RowVersus& row, Parts& parts) {
    if (versus_.paired) {
      const LogRatios pairs = pairs_of(base, fresh);
      row.pairs = static_cast<int>(pairs.size());
      if (pairs.empty()) {
        row.why = "no repetition that both have";
        return;
      }
      row.ratio = median_ratio(pairs);
      row.verdict = row.pairs < kFewestPairs ? Verdict::kAmbiguous : judge_within(*row.ratio, kRowMargin);
      parts.pairs.push_back(pairs);
      return;
    }
    const std::vector<double> before = probes_of(group_of(base_, base.group)),
                              after = probes_of(group_of(new_, fresh.group));
    row.ratio = unpaired_ratio(base, fresh, before, after);
    row.pairs = std::min(base.time_ns->samples, fresh.time_ns->samples);
    const bool enough = row.pairs >= kFewestPairs && !before.empty() && !after.empty();
    row.verdict = enough ? judge_within(*row.ratio, kUnpairedMargin) : Verdict::kAmbiguous;
    parts.ratios.push_back(*row.ratio);
  }

  void judge(FamilyVersus& of, const Parts& parts) {
    if (parts.pairs.empty() && parts.ratios.empty()) {
      of.why = "no row of it can be compared";
      return;
    }
    of.ratio = versus_.paired ? pooled_ratio(parts.pairs) : mean_ratio(parts.ratios);
    const double paired_margin = parts.pairs.size() < kFewestRows ? kFewRowsMargin : kFamilyMargin;
    of.verdict = judge_within(*of.ratio, versus_.paired ? paired_margin : kUnpairedMargin);
    if (std::all_of(of.rows.begin(), of.rows.end(),
                    [](const RowVersus& row) { return row.pairs < kFewestPairs; })) {
      of.verdict = Verdict::kAmbiguous;
      of.why = fmt::format("fewer than {} repetitions of every row", kFewestPairs);
    }
    const bool differs = of.verdict == Verdict::kFaster || of.verdict == Verdict::kSlower;
    const Verdict machine =
        versus_.control ? judge_within(*versus_.control, kControlMargin) : Verdict::kAmbiguous;
    if (!differs || machine != of.verdict) return;
    of.why = fmt::format("{} by the rows alone, but so was the bandwidth probe", name_of(of.verdict));
    of.verdict = Verdict::kAmbiguous;
  }

  const MicrobenchRun &base_, &new_;
  Versus versus_;
  std::vector<Parts> parts_;  // by family
};

}  // namespace

bool Versus::regressed() const {
  return std::any_of(families.begin(), families.end(), [](const FamilyVersus& family) {
    return family.verdict == Verdict::kSlower || std::any_of(family.rows.begin(), family.rows.end(),
                                                             [](const RowVersus& row) { return row.broke; });
  });
}

Versus compare_runs(const MicrobenchRun& base, const MicrobenchRun& fresh) {
  refuse_foreign(base.origin, fresh.origin);
  Versus versus = Comparer(base, fresh).run();
  const bool common =
      std::any_of(versus.families.begin(), versus.families.end(), [](const FamilyVersus& family) {
        return std::any_of(family.rows.begin(), family.rows.end(),
                           [](const RowVersus& row) { return !row.why.starts_with("only in "); });
      });
  if (!common)
    environment_error("{} and {} have no benchmark in common", base.origin.files.front().path,
                      fresh.origin.files.front().path);
  return versus;
}

}  // namespace trisect::report
