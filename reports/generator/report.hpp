// The whole report.
#pragma once

#include <string>
#include <vector>

#include "reports/generator/pictures.hpp"
#include "reports/generator/results.hpp"

namespace trisect::report {

struct ReportOptions {
  std::string version;         ///< of the program that writes it
  std::string picture_prefix;  ///< pictures are named <prefix>-<what>.svg
  std::string no_pictures;     ///< why there are none; empty when they are wanted
};

struct Report {
  std::string markdown;
  std::vector<Picture> pictures;  ///< those that the markdown refers to
};

/// The same results and options give the same bytes.
Report compose(const Results& results, const ReportOptions& options);

}  // namespace trisect::report
