// What the pictures' scripts are made of.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "reports/generator/statistics.hpp"

namespace trisect::report {

struct Picture {
  std::string file;    ///< beside the report
  std::string alt;     ///< what it shows, for those who do not see it
  std::string script;  ///< of gnuplot
};

/// Okabe and Ito's palette: told apart by colour-blind readers and in grey.
const char* colour(std::size_t index);

std::string file_safe(std::string_view text);

/// Data blocks and what is drawn from them.
class Plot {
 public:
  void add(const std::string& data, const std::string& how);
  /// An entry of the legend that stands for nothing drawn at this place.
  void add_key(const std::string& how) { drawn_.push_back("NaN " + how); }
  std::string blocks() const { return blocks_; }
  std::string more() const;  ///< ", ..." for each drawn, behind what a plot command already has
  /// A picture of this alone.
  std::string script(int height, const std::string& settings) const;

  /// Names of data blocks begin with it: where a picture has several plots.
  explicit Plot(std::string name = "data") : name_(std::move(name)) {}

 private:
  std::string name_, blocks_;
  std::vector<std::string> drawn_;
};

inline constexpr char kBar[] = "with boxxyerror fillstyle solid noborder";
// Not "yerrorbars": it leaves a white patch under every point.
inline constexpr char kWhisker[] =
    "using 1:3:(0):($4-$3) with vectors heads size screen 0.004,90 linewidth 1.5";
inline constexpr char kKeyAbove[] = "set key outside top center horizontal Left reverse\n";

}  // namespace trisect::report
