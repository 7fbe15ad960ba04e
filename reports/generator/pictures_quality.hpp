// The pictures of quality, against sparsity and against speed.
#pragma once

#include "reports/generator/pareto.hpp"
#include "reports/generator/plot.hpp"

namespace trisect::report {

/// A figure of a point that is drawn against sparsity.
struct Metric {
  const char* name;  ///< "perplexity"
  const char* file;  ///< part of its picture's name
  const char* unit;  ///< after the name on an axis: "", ", nats a token"
  std::optional<double> (*value)(const SweepPoint& point);
  std::optional<double> (*dense)(const SweepRun& run);  ///< drawn as a line
  bool logarithmic;  ///< its axis; such a metric rises with the sparsity, another falls
};
inline constexpr std::size_t kMetrics = 3;
extern const Metric kMetricList[kMetrics];  ///< perplexity, KL divergence, agreement

/// A panel for each mode (columns) and for dropping in decoding alone and in the prompt too (rows), all on
/// the same axes, a curve for each rotation. Empty script when nothing has a number.
Picture quality_picture(const SweepRun& run, const Metric& metric, int number,
                        const std::string& file_prefix);

/// Every point of `pareto`, curves by mode and rotation, the front marked with its sparsities.
Picture pareto_picture(const Pareto& pareto, int number, const std::string& file_prefix);

}  // namespace trisect::report
