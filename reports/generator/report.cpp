#include "reports/generator/report.hpp"

#include <fmt/format.h>

#include "reports/generator/markdown.hpp"
#include "reports/generator/questions.hpp"
#include "reports/generator/sections.hpp"
#include "reports/generator/units.hpp"
#include "reports/generator/warnings.hpp"

namespace trisect::report {
namespace {

std::string warnings_section(const std::vector<std::string>& warnings) {
  std::string text = "## Warnings\n\n";
  for (const std::string& warning : warnings) text += "- " + warning + "\n";
  return text + (warnings.empty() ? "None.\n\n" : "\n");
}

/// Before the first number: that there is something to know.
std::string warnings_line(const std::vector<std::string>& warnings) {
  if (warnings.empty()) return "";
  return fmt::format("> **Read every number here with the [{}](#warnings) below.**\n\n",
                     count(static_cast<long>(warnings.size()), "warning"));
}

constexpr char kReading[] =
    "## How to read the numbers\n\n"
    "A time is the median of its samples, a range runs from the first to the third quartile, spread is their "
    "distance in % of "
    "the median. A speed-up is the ratio of two medians; the interval behind it is that of the facing "
    "quartiles. *Faster* and *slower* mean that the "
    "quartiles do not overlap and the medians differ by 2 % or more, *same* that nothing differs by more "
    "than 2 % (quartiles: 5 %), and *ambiguous* "
    "that the samples do not decide. GB is 1e9 bytes, MB 1e6. A row whose check did not pass has no time, "
    "and a skipped row has not passed.\n\n";

}  // namespace

Report compose(const Results& results, const ReportOptions& options) {
  const auto layers = layers_of(results);
  const auto warnings = warnings_of(results);
  Album album(options.no_pictures.empty());
  std::string text = "# What the cuts cost and save\n\n";
  text += gpu_line(results) + warnings_line(warnings) + time_line(results);
  text += "## In short\n\n" + verdict_of(results, layers) + "\n\n";
  text += warnings_section(warnings) + questions_section(results, layers);
  text += environment_section(results);
  text += kReading;
  if (!options.no_pictures.empty())
    text += fmt::format("There are tables only, no pictures: {}.\n\n", escape(options.no_pictures));
  text += larosa_section(results, layers, options.picture_prefix, album);
  text += roofline_section(results, options.picture_prefix, album);
  text += gpu_section(results);
  int number = 0;
  for (const SweepRun& run : results.sweeps) {
    text += quality_section(run, results, ++number, layers, options.picture_prefix, album);
  }
  text += traces_section(results, options.picture_prefix, album);
  number = 0;
  for (const VocabularyRun& run : results.vocabularies) {
    text += vocabulary_section(run, ++number, options.picture_prefix, album);
  }
  text += other_ops_section(results);
  number = 0;
  for (const CompareRun& run : results.comparisons) {
    text += compare_section(run, results, ++number, layers, options.picture_prefix, album);
  }
  text += not_measured_section(results) + reproduce_section(results);
  text += fmt::format("Written by report {}; reports/schema describes the files that it reads.\n", options.version);
  return {text, album.take()};
}

}  // namespace trisect::report
