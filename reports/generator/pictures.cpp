#include "reports/generator/pictures.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "reports/generator/gnuplot.hpp"

namespace trisect::report {
namespace {

// Okabe and Ito's palette: told apart by colour-blind readers and in grey.
constexpr const char* kColours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00",
                                    "#56b4e9", "#f0e442", "#999999", "#882255", "#000000"};
const char* colour(std::size_t index) { return kColours[index % std::size(kColours)]; }

std::string file_safe(const std::string& text) {
  std::string out;
  for (const char c : text) {
    out += (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ? c : '-';
  }
  return out;
}

/// Data blocks and what is drawn from them.
class Plot {
 public:
  void add(const std::string& data, const std::string& how) {
    if (data.empty()) return;
    const std::string name = fmt::format("$data{}", drawn_.size());
    blocks_ += fmt::format("{} << EOD\n{}EOD\n", name, data);
    drawn_.push_back(name + " " + how);
  }
  std::string script(int height, const std::string& settings) const {
    return gnuplot_preamble(height) + blocks_ + settings + fmt::format("plot {}\n", fmt::join(drawn_, ", "));
  }

 private:
  std::string blocks_;
  std::vector<std::string> drawn_;
};

constexpr char kBar[] = "with boxxyerror fillstyle solid noborder";
// Not "yerrorbars": it leaves a white patch under every point.
constexpr char kWhisker[] = "using 1:3:(0):($4-$3) with vectors heads size screen 0.004,90 linewidth 1.5";
constexpr char kKeyAbove[] = "set key outside top center horizontal Left reverse\n";

std::string with_quartiles(double x, const Summary& ns) {
  return fmt::format("{:.2f} {:.6g} {:.6g} {:.6g}\n", x, ns.median / 1e3, ns.q1 / 1e3, ns.q3 / 1e3);
}

/// The bars of a layer, gathered point by point.
class StageBars {
 public:
  explicit StageBars(const Layer& layer) : bars_(std::size(kStages)) {
    for (std::size_t i = 0; i < layer.points.size(); ++i) add(layer.points[i], static_cast<double>(i));
  }

  std::string script(const std::string& title) const {
    Plot plot;
    for (std::size_t s = 0; s < bars_.size(); ++s) {
      if (!ran_[s]) continue;
      plot.add(bars_[s], fmt::format("using 1:(0):2:3:4:5 {} linecolor rgb '{}' title '{}'", kBar, colour(s),
                                     kStages[s]));
    }
    plot.add(whole_, fmt::format("{} linecolor rgb '#444444' title 'whole call, q1 to q3'", kWhisker));
    plot.add(
        dense_,
        "using ($1-0.45):2:(0.9):(0) with vectors nohead linewidth 2.5 linecolor rgb 'black' title 'dense'");
    plot.add(dense_, fmt::format("{} linecolor rgb 'black' notitle", kWhisker));
    return plot.script(
        440,
        fmt::format("set title {}\nset ylabel 'time of one call, µs'\nset xlabel 'sparsity' offset 0,-0.5\n"
                    "set xtics ({}) scale 0\nset xrange [-0.5:{}]\nset yrange [0:{:.6g}]\n{}",
                    gnuplot_text(title), fmt::join(tics_, ", "), points_ - 0.5, highest_ * 1.05, kKeyAbove));
  }

 private:
  static constexpr const char* kStages[] = {kProductStage, "rotate", "topk", "scatter", "unrotate"};
  static constexpr double kOffset[] = {-0.2, 0.2};  // of the modes' bars
  static constexpr double kHalfBar = 0.17;

  void add(const LayerPoint& point, double x) {
    points_ += 1;
    tics_.push_back(fmt::format("\"\\n{:g} %%\" {}", point.sparsity_permille / 10.0, x));
    if (point.dense != nullptr) {
      dense_ += with_quartiles(x, *point.dense->time_ns);
      highest_ = std::max(highest_, point.dense->time_ns->q3 / 1e3);
    }
    for (std::size_t m = 0; m < std::size(kModes); ++m) {
      tics_.push_back(fmt::format("'{}' {:.2f}", kModes[m], x + kOffset[m]));
      if (const Row* row = point.mode(kModes[m])) add(*row, x + kOffset[m]);
    }
  }

  void add(const Row& row, double x) {
    double low = 0;
    for (std::size_t s = 0; s < bars_.size(); ++s) {
      const double high = low + stage_ns(row, kStages[s]) / 1e3;
      ran_[s] = ran_[s] || high > low;
      bars_[s] +=
          fmt::format("{:.2f} {:.2f} {:.2f} {:.6g} {:.6g}\n", x, x - kHalfBar, x + kHalfBar, low, high);
      low = high;
    }
    whole_ += with_quartiles(x, *row.time_ns);
    highest_ = std::max({highest_, low, row.time_ns->q3 / 1e3});
  }

  std::vector<std::string> bars_, tics_;
  bool ran_[std::size(kStages)] = {};
  std::string dense_, whole_;
  double points_ = 0, highest_ = 0;
};

}  // namespace

Picture stage_picture(const Layer& layer, const std::string& file_prefix) {
  return {fmt::format("{}-stages-{}.svg", file_prefix,
                      file_safe(fmt::format("{}x{} {}{}", layer.in, layer.out, layer.dtype,
                                            layer.rotated ? "" : " unrotated"))),
          fmt::format("Stacked bars per sparsity: what {}top-k{} scatter{} cost in modes naive "
                      "and online of the layer {}, what the product costs, and the dense product as a line",
                      layer.rotated ? "rotation, " : "", layer.rotated ? "," : " and",
                      layer.rotated ? " and rotating back" : "", layer.name()),
          StageBars(layer).script("larosa/layer " + layer.name() + ": overhead and product")};
}

Picture speedup_picture(const std::vector<Layer>& layers, const std::string& dtype,
                        const std::string& file_prefix) {
  Plot plot;
  double highest = 1;
  int last = 0;
  std::size_t index = 0;
  double aside = -1;  // whiskers at the same sparsity would hide one another
  for (const Layer& layer : layers) {
    if (layer.dtype != dtype) continue;
    for (const char* mode : {kOnline, kNaive}) {
      std::string data;
      for (const LayerPoint& point : layer.points) {
        const auto change = point.change_of(mode);
        if (!change) continue;
        const auto& [centre, low, high] = change->ratio;
        data += fmt::format("{:g} {:.6g} {:.6g} {:.6g}\n", point.sparsity_permille / 10.0 + aside, centre,
                            low, high);
        highest = std::max(highest, high);
        last = std::max(last, point.sparsity_permille);
      }
      aside += 0.4;
      const bool online = mode == std::string(kOnline);
      plot.add(data, fmt::format("using 1:2 with linespoints dashtype {} pointtype {} pointsize 0.5 "
                                 "linewidth 2 linecolor rgb '{}' title {}",
                                 online ? 1 : 3, online ? 7 : 6, colour(index),
                                 gnuplot_text(fmt::format("{} {}", mode, layer.shape()))));
      plot.add(data, fmt::format("{} linecolor rgb '{}' notitle", kWhisker, colour(index)));
    }
    ++index;
  }
  std::string bound;
  for (int permille = 0; permille <= std::min(last, 990); permille += 10) {
    bound += fmt::format("{:g} {:.6g}\n", permille / 10.0, 1 / (1 - permille / 1000.0));
  }
  plot.add(bound,
           "with lines linewidth 1.5 dashtype 2 linecolor rgb '#777777' title 'bound 1/(1-s), computed'");
  plot.add(fmt::format("0 1\n{:g} 1\n", last / 10.0),
           "with lines linewidth 1 linecolor rgb 'black' title 'dense'");
  highest = std::max(highest, 1 / (1 - std::min(last, 990) / 1000.0));
  return {
      fmt::format("{}-speedup-{}.svg", file_prefix, file_safe(dtype)),
      fmt::format(
          "Speed-up over the dense layer against sparsity in modes online and naive, {} weights, with "
          "the bound 1/(1-s) as a dashed line",
          dtype),
      plot.script(
          440, fmt::format(
                   "set title {}\nset xlabel 'sparsity, % of the activations dropped'\n"
                   "set ylabel 'speed-up over dense, times'\nset xrange [-2:{:g}]\nset yrange [0:{:.6g}]\n"
                   "set key outside right top vertical Left reverse\n",
                   gnuplot_text("Speed-up of one linear layer, " + dtype), last / 10.0 + 2, highest * 1.05))};
}

Picture generation_picture(const CompareRun& run, int number, const std::string& file_prefix) {
  const Side* sides[] = {&run.optimized, &run.baseline};
  Plot plot;
  double low[] = {0, 0};
  std::size_t index = 0;
  for (const std::string& stage : stages_of(run)) {
    std::string data;
    for (int s = 0; s < 2; ++s) {
      const double high = low[s] + stage_s(*sides[s], stage) * 1e3;
      data += fmt::format("{:.6g} {} {:.6g} {:.6g} {:g} {:g}\n", low[s], s, low[s], high, s - 0.3, s + 0.3);
      low[s] = high;
    }
    plot.add(data, fmt::format("{} linecolor rgb '{}' title {}", kBar, colour(index++), gnuplot_text(stage)));
  }
  const std::string settings = fmt::format(
      "set title {}\nset xlabel 'time of one decode step, ms'\nset ytics ('optimized' 0, 'baseline' 1) scale "
      "0\n"
      "unset grid\nset grid xtics linecolor rgb '#dddddd'\nset xrange [0:{:.6g}]\nset yrange [-0.5:1.5]\n{}",
      gnuplot_text(run.model.name + ": stages of a decode step"), std::max({low[0], low[1], 1e-6}) * 1.05,
      kKeyAbove);
  return {
      fmt::format("{}-generation-{}.svg", file_prefix, number),
      "Stacked bars: the stages of one decode step of the baseline and of the optimized run, in milliseconds",
      plot.script(280, settings)};
}

}  // namespace trisect::report
