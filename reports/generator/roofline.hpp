// What bounds the kernels: operations a byte against operations a second, under the bandwidth that the run
// measured.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "reports/generator/plot.hpp"
#include "reports/generator/results.hpp"

namespace trisect::report {

/// The fastest variant of one problem. Points into the results.
struct RoofPoint {
  const Row* row = nullptr;
  double intensity = 0;  ///< declared operations a declared byte
  double gflops = 0;     ///< of the median
  Summary time_ns;
};

/// Of one run on the CPU. Modes of a layer are left out: they declare the dense layer's work.
struct Roofline {
  const MicrobenchRun* run = nullptr;
  double low_gbps = 0, high_gbps = 0;  ///< of all bandwidth probes
  std::vector<RoofPoint> points;       ///< in the order of the rows
};

/// Empty without a probe or without rows that compute.
std::optional<Roofline> roofline_of(const MicrobenchRun& run);

Picture roofline_picture(const Roofline& roofline, int number, const std::string& file_prefix);

}  // namespace trisect::report
