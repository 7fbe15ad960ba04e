// From directories of results to a report on disk.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "reports/generator/results.hpp"

namespace trisect::report {

/// Writes the whole file or throws Error(kEnvironment) that names it.
void write_text_file(const std::filesystem::path& path, const std::string& text);

/// Writes the report on `results` to `output`, its pictures beside it. Results of several machines get a
/// report each, <stem>-<number>.md, and `output` is the page over them. Returns why there are no pictures, or
/// nothing. Throws Error(kEnvironment) for what cannot be written.
std::string write_report(const Results& results, const std::filesystem::path& output,
                         const std::string& version);

}  // namespace trisect::report
