// The pictures of the report as gnuplot scripts. Points and bars are medians, whiskers quartiles.
#pragma once

#include <string>
#include <vector>

#include "reports/generator/compare_figures.hpp"
#include "reports/generator/layers.hpp"

namespace trisect::report {

struct Picture {
  std::string file;    ///< beside the report
  std::string alt;     ///< what it shows, for those who do not see it
  std::string script;  ///< of gnuplot
};

/// Overhead and product of every mode as stacked bars per sparsity, with the dense product as a line.
Picture stage_picture(const Layer& layer, const std::string& file_prefix);

/// Speed-up over dense against sparsity for all layers of one type, with 1/(1-s) as the bound.
Picture speedup_picture(const std::vector<Layer>& layers, const std::string& dtype,
                        const std::string& file_prefix);

/// What a token costs, stage by stage, on both sides.
Picture generation_picture(const CompareRun& run, int number, const std::string& file_prefix);

}  // namespace trisect::report
