// Drawing through the program gnuplot.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace trisect::report {

/// The SVG that gnuplot writes to its standard output; empty when gnuplot is not installed.
/// Throws Error(kEnvironment) with gnuplot's first complaint when it fails.
std::optional<std::string> run_gnuplot(const std::string& script);

/// The start of every script: an opaque picture as wide as GitHub's column, no markup in texts, UTF-8.
std::string gnuplot_preamble(int height);

/// A quoted string. gnuplot runs what stands in back quotes, so only letters, digits and harmless signs pass.
std::string gnuplot_text(std::string_view text);

}  // namespace trisect::report
