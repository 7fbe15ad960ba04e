#include <fmt/format.h>

#include <algorithm>

#include "reports/generator/markdown.hpp"
#include "reports/generator/units.hpp"
#include "reports/generator/versus.hpp"

namespace trisect::report {
namespace {

constexpr Verdict kVerdicts[] = {Verdict::kFaster, Verdict::kSame, Verdict::kSlower, Verdict::kAmbiguous,
                                 Verdict::kNotComparable};

std::string counts(const FamilyVersus& family) {
  std::string text;
  for (const Verdict verdict : kVerdicts) {
    const auto rows = std::count_if(family.rows.begin(), family.rows.end(),
                                    [&](const RowVersus& row) { return row.verdict == verdict; });
    if (rows > 0) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", rows, name_of(verdict));
  }
  return text;
}

std::string because(const std::string& why) { return why.empty() ? "" : " (" + escape(why) + ")"; }

std::string ratio_text(const std::optional<Ratio>& ratio) { return ratio ? times(*ratio) : kNone; }

std::string time_text(const std::optional<double>& ns) { return ns ? microseconds(*ns) : kNone; }

std::string families_table(const Versus& versus) {
  Table table({{"family", kLeft}, {"verdict", kLeft}, {"speed, new over base"}, {"rows", kLeft}});
  for (const FamilyVersus& family : versus.families) {
    table.add({escape(family.name), std::string(name_of(family.verdict)) + because(family.why),
               ratio_text(family.ratio), counts(family)});
  }
  return table.markdown();
}

std::string rows_table(const FamilyVersus& family) {
  Table table(
      {{"row", kLeft}, {"verdict", kLeft}, {"speed, new over base"}, {"base µs"}, {"new µs"}, {"samples"}});
  for (const RowVersus& row : family.rows) {
    table.add({code(row.name), std::string(name_of(row.verdict)) + because(row.why), ratio_text(row.ratio),
               time_text(row.base_ns), time_text(row.new_ns), fmt::format("{}", row.pairs)});
  }
  return table.markdown();
}

std::string origin_lines(const Versus& versus) {
  std::string text;
  for (const auto& [name, origin] : {std::pair{"Base", versus.base}, {"New", versus.fresh}}) {
    text +=
        fmt::format("- {}: {}, revision {}{}, {} to {} (UTC){}\n", name, code(origin->files.front().path),
                    escape(origin->build.git_hash),
                    origin->build.git_dirty ? " with uncommitted changes" : "", escape(origin->started_utc),
                    escape(origin->finished_utc), origin->interrupted ? ", **interrupted**" : "");
  }
  return text + "\n";
}

constexpr char kPaired[] =
    "The runs took turns, repetition by repetition. A row's ratio is the median over pairs of neighbours, "
    "its "
    "interval (99 %) is that of the sign test; a family's is the median over the pairs of all its rows, with "
    "a "
    "bootstrap over rows.";
constexpr char kUnpaired[] =
    "The runs did not take turns, so the machine may have changed in between: a row's interval is that of "
    "the facing "
    "quartiles, widened by what the bandwidth probe changed, and less than 10 % is never a difference. "
    "`scripts/compare_builds.sh` runs two builds in turns.";

}  // namespace

std::string versus_markdown(const Versus& versus) {
  std::string text = "# Two runs compared\n\n" + families_table(versus) + origin_lines(versus);
  text += fmt::format(
      "{} *Faster* and *slower* need the whole interval on one side of 1, *same* needs all of it "
      "within 5 %, the rest is *ambiguous*.",
      versus.paired ? kPaired : kUnpaired);
  if (versus.control)
    text += fmt::format(" The bandwidth probe, which is no kernel under test: {}.", times(*versus.control));
  text += "\n\n";
  if (!versus.differences.empty()) {
    text += "What else differs, and is part of every ratio:\n\n";
    for (const std::string& difference : versus.differences) text += "- " + escape(difference) + "\n";
    text += "\n";
  }
  for (const FamilyVersus& family : versus.families)
    text += fmt::format("## {}\n\n", escape(family.name)) + rows_table(family);
  return text;
}

}  // namespace trisect::report
