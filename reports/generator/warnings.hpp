// What a reader must know before believing a number: about the build, the machine, the noise and the checks.
#pragma once

#include <string>
#include <vector>

#include "reports/generator/results.hpp"

namespace trisect::report {

inline constexpr double kNoiseLimit = 0.05;    ///< interquartile range over median
inline constexpr double kProbeFlip = 1.15;     ///< between two probes of the bandwidth
inline constexpr double kAboveProbe = 1.05;    ///< of cold weights read: more is a fault to explain
inline constexpr double kAccountLimit = 0.01;  ///< between a cache and the kernel on committed bytes

/// Markdown sentences; the same warning about several inputs is one sentence.
std::vector<std::string> warnings_of(const Results& results);

}  // namespace trisect::report
