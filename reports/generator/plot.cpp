#include "reports/generator/plot.hpp"

#include <fmt/format.h>

#include <iterator>

#include "reports/generator/gnuplot.hpp"

namespace trisect::report {

const char* colour(std::size_t index) {
  constexpr const char* kColours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00",
                                      "#56b4e9", "#f0e442", "#999999", "#882255", "#000000"};
  return kColours[index % std::size(kColours)];
}

std::string file_safe(std::string_view text) {
  std::string out;
  for (const char c : text) {
    out += (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ? c : '-';
  }
  return out;
}

void Plot::add(const std::string& data, const std::string& how) {
  if (data.empty()) return;
  const std::string name = fmt::format("${}{}", name_, drawn_.size());
  blocks_ += fmt::format("{} << EOD\n{}EOD\n", name, data);
  drawn_.push_back(name + " " + how);
}

std::string Plot::more() const {
  std::string text;
  for (const std::string& drawn : drawn_) text += ", " + drawn;
  return text;
}

std::string Plot::script(int height, const std::string& settings) const {
  return gnuplot_preamble(height) + blocks_ + settings + fmt::format("plot {}\n", fmt::join(drawn_, ", "));
}

}  // namespace trisect::report
