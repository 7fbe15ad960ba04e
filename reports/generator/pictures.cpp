#include "reports/generator/pictures.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "reports/generator/gnuplot.hpp"
#include "reports/generator/units.hpp"

namespace trisect::report {
namespace {

std::size_t index_of(const char* const* begin, const char* const* end, const std::string& name) {
  return static_cast<std::size_t>(std::find(begin, end, name) - begin);
}

/// The product at the bottom, where it compares with dense; what LaRoSA adds on top of it.
constexpr const char* kBarOrder[] = {kProductStage, "rotate", "topk", "scatter", "unrotate", kAdapterStage};

/// One colour for a stage and one for a way in all pictures.
const char* stage_colour(const std::string& stage) {
  return colour(index_of(std::begin(kBarOrder), std::end(kBarOrder), stage));
}
const char* way_colour(const std::string& way) {
  return colour(index_of(std::begin(kWays), std::end(kWays), way));
}

/// The bars of a layer or block, gathered sparsity by sparsity. Each is over the dense product that it was
/// interleaved with: not all bars were measured in one state of the machine.
class StageBars {
 public:
  explicit StageBars(const Work& work) : ways_(work.ways), bars_(std::size(kBarOrder)) {
    for (const auto& [permille, ways] : work.at) add(permille, ways);
  }

  std::string script(const std::string& title) const {
    Plot plot;
    for (std::size_t s = 0; s < bars_.size(); ++s) {
      plot.add(bars_[s], fmt::format("using 1:(0):2:3:4:5 {} linecolor rgb '{}' title '{}'", kBar,
                                     stage_colour(kBarOrder[s]), stage_title(kBarOrder[s])));
    }
    plot.add(whole_, fmt::format("{} linecolor rgb '#444444' title 'whole, q1 to q3'", kWhisker));
    plot.add(fmt::format("-0.6 1\n{} 1\n", points_ - 0.4),
             "with lines linewidth 2 linecolor rgb 'black' title 'dense'");
    // Names of ways stand upright below their bars, and below them the sparsity.
    constexpr int kAbove = 470;
    std::size_t longest = 0;
    for (const std::string& way : ways_) longest = std::max(longest, way.size());
    const int names = static_cast<int>(8 * longest) + 12, height = kAbove + names;
    std::string settings = fmt::format(
        "set title {}\nset ylabel 'time over dense'\nset bmargin screen {:.4f}\n"
        "set xtics rotate by 90 right ({}) scale 0\nset xrange [-0.6:{}]\nset yrange [0:{:.6g}]\n{}",
        gnuplot_text(title), (names + 34.0) / height, fmt::join(tics_, ", "), points_ - 0.4, highest_ * 1.05,
        kKeyAbove);
    for (std::size_t i = 0; i < sparsities_.size(); ++i) {
      settings += fmt::format("set label center '{:g} % dropped' at first {}, screen {:.4f}\n",
                              sparsities_[i] / 10.0, i, 16.0 / height);
    }
    return plot.script(height, settings);
  }

 private:
  double half_slot() const { return 0.45 / static_cast<double>(ways_.size()); }

  void add(int permille, const std::map<std::string, Way>& ways) {
    sparsities_.push_back(permille);
    for (std::size_t w = 0; w < ways_.size(); ++w) {
      const double x = points_ + (2 * static_cast<double>(w) + 1) * half_slot() - 0.45;
      const auto found = ways.find(ways_[w]);
      if (found == ways.end()) continue;
      tics_.push_back(fmt::format("'{}' {:.3f}", ways_[w], x));
      add(found->second, x);
    }
    points_ += 1;
  }

  void add(const Way& way, double x) {
    const double dense = way.dense_ns.median, half = 0.85 * half_slot();
    double low = 0;
    for (std::size_t s = 0; s < bars_.size(); ++s) {
      const auto found = way.stage_ns.find(kBarOrder[s]);
      if (found == way.stage_ns.end() || found->second <= 0) continue;
      const double high = low + found->second / dense;
      bars_[s] += fmt::format("{:.3f} {:.3f} {:.3f} {:.6g} {:.6g}\n", x, x - half, x + half, low, high);
      low = high;
    }
    whole_ += fmt::format("{:.3f} {:.6g} {:.6g} {:.6g}\n", x, way.time_ns.median / dense,
                          way.time_ns.q1 / dense, way.time_ns.q3 / dense);
    highest_ = std::max({highest_, low, way.time_ns.q3 / dense});
  }

  const std::vector<std::string>& ways_;
  std::vector<std::string> bars_, tics_;
  std::vector<int> sparsities_;
  std::string whole_;
  double points_ = 0, highest_ = 1;
};

}  // namespace

Picture stage_picture(const Work& work, const std::string& file_prefix) {
  return {
      fmt::format("{}-stages-{}.svg", file_prefix, file_safe(work.file)),
      fmt::format("Stacked bars per sparsity: what each stage costs in the ways {} of {}, over the time of "
                  "the dense product beside it, which is a line",
                  fmt::join(work.ways, ", "), work.name),
      StageBars(work).script(capitalized(work.name) + ": where the time goes")};
}

Picture speedup_picture(const Work& work, const std::string& file_prefix) {
  Plot plot;
  double highest = 1;
  const int first = work.at.begin()->first, last = work.at.rbegin()->first;
  const double apart = (last - first) / 1000.0 * 0.6;  // whiskers at the same sparsity would hide one another
  double aside = -apart * static_cast<double>(work.ways.size() - 1) / 2;
  for (const std::string& name : work.ways) {
    std::string measured, model;
    for (const auto& [permille, ways] : work.at) {
      const auto found = ways.find(name);
      if (found == ways.end()) continue;
      const Ratio ratio = found->second.faster().ratio;
      const double x = permille / 10.0 + aside, ceiling = found->second.ceiling();
      measured += fmt::format("{:g} {:.6g} {:.6g} {:.6g}\n", x, ratio.centre, ratio.low, ratio.high);
      model += fmt::format("{:g} {:.6g}\n", permille / 10.0, ceiling);
      highest = std::max({highest, ratio.high, ceiling});
    }
    aside += apart;
    const char* line = way_colour(name);
    plot.add(measured,
             fmt::format("using 1:2 with linespoints pointtype 7 pointsize 0.5 linewidth 2 linecolor rgb "
                         "'{}' title {}",
                         line, gnuplot_text(name)));
    plot.add(measured, fmt::format("{} linecolor rgb '{}' notitle", kWhisker, line));
    plot.add(model, fmt::format("with lines dashtype 2 linewidth 1.5 linecolor rgb '{}' notitle", line));
  }
  plot.add(fmt::format("{:g} 1\n{:g} 1\n", first / 10.0 - 2, last / 10.0 + 2),
           "with lines linewidth 1 linecolor rgb 'black' title 'dense'");
  plot.add_key("with lines dashtype 2 linewidth 1.5 linecolor rgb '#777777' title 'ceiling, model'");
  return {
      fmt::format("{}-speedup-{}.svg", file_prefix, file_safe(work.file)),
      fmt::format("Speed-up over dense against sparsity of {} in the ways {}, with the ceilings that their "
                  "bytes allow as dashed lines",
                  work.name, fmt::join(work.ways, ", ")),
      plot.script(440, fmt::format("set title {}\nset xlabel 'sparsity, % of the activations dropped'\n"
                                   "set ylabel 'speed-up over dense, times'\nset xrange [{:g}:{:g}]\nset "
                                   "yrange [0:{:.6g}]\nset key outside right top vertical Left reverse\n",
                                   gnuplot_text(capitalized(work.name) + ": speed-up"), first / 10.0 - 2,
                                   last / 10.0 + 2, highest * 1.05))};
}

Picture generation_picture(const CompareRun& run, int number, const std::string& file_prefix) {
  std::vector<const Side*> sides;
  for (const Side& side : run.sides) sides.push_back(&side);
  std::reverse(sides.begin(), sides.end());  // the first is drawn at the bottom
  Plot plot;
  std::vector<double> low(sides.size());
  std::size_t index = 0;
  for (const std::string& stage : stages_of(run)) {
    std::string data;
    for (std::size_t s = 0; s < sides.size(); ++s) {
      const double high = low[s] + stage_s(*sides[s], stage) * 1e3, at = static_cast<double>(s);
      data += fmt::format("{:.6g} {} {:.6g} {:.6g} {:g} {:g}\n", low[s], s, low[s], high, at - 0.3, at + 0.3);
      low[s] = high;
    }
    plot.add(data, fmt::format("{} linecolor rgb '{}' title {}", kBar, colour(index++), gnuplot_text(stage)));
  }
  std::vector<std::string> names;
  for (std::size_t s = 0; s < sides.size(); ++s)
    names.push_back(fmt::format("{} {}", gnuplot_text(sides[s]->name), s));
  const std::string settings = fmt::format(
      "set title {}\nset xlabel 'time of one decode step, ms'\nset ytics ({}) scale 0\n"
      "unset grid\nset grid xtics linecolor rgb '#dddddd'\nset xrange [0:{:.6g}]\nset yrange [-0.5:{:g}]\n"
      // Long names push the plot to the right: the key has the picture's width, not the plot's.
      "set tmargin 6\nset key at screen 0.5,screen 0.99 center top horizontal Left reverse samplen 3\n",
      gnuplot_text(run.model.name + ": stages of a decode step"), fmt::join(names, ", "),
      std::max(*std::max_element(low.begin(), low.end()), 1e-6) * 1.05,
      static_cast<double>(sides.size()) - 0.5);
  return {fmt::format("{}-generation-{}.svg", file_prefix, number),
          "Stacked bars: the stages of one decode step of every side of the comparison, in milliseconds",
          plot.script(200 + 40 * static_cast<int>(sides.size()), settings)};
}

}  // namespace trisect::report
