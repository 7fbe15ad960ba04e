#include "reports/generator/pictures.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "reports/generator/gnuplot.hpp"

namespace trisect::report {
namespace {

// Okabe and Ito's palette: told apart by colour-blind readers and in grey.
constexpr const char* kColours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00",
                                    "#56b4e9", "#f0e442", "#999999", "#000000"};
const char* colour(std::size_t index) { return kColours[index % std::size(kColours)]; }

/// Bars one upon the other: a data block per stage with "x low high" and the command that plots it.
struct Stack {
  std::string name;
  std::string data;
};

std::string file_safe(const std::string& text) {
  std::string out;
  for (const char c : text) {
    out += (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ? c : '-';
  }
  return out;
}

std::string block(const std::string& name, const std::string& lines) {
  return fmt::format("${} << EOD\n{}EOD\n", name, lines);
}

}  // namespace

Picture stage_picture(const Layer& layer, const std::string& file_prefix) {
  constexpr double kHalfBar = 0.17, kOffset[] = {-0.2, 0.2};
  const std::vector<std::string> stages = {kProductStage, "rotate", "topk", "scatter", "unrotate"};
  std::vector<std::string> bars(stages.size());
  std::string dense, whole, tics;
  double highest = 0;
  for (std::size_t i = 0; i < layer.points.size(); ++i) {
    const LayerPoint& point = layer.points[i];
    const auto x = static_cast<double>(i);
    if (point.dense != nullptr) {
      const Summary& time = *point.dense->time_ns;
      dense += fmt::format("{} {:.6g} {:.6g} {:.6g}\n", x, time.median / 1e3, time.q1 / 1e3, time.q3 / 1e3);
      highest = std::max(highest, time.q3 / 1e3);
    }
    tics += fmt::format("{}\"\\n{:g} %\" {}", tics.empty() ? "" : ", ", point.sparsity_permille / 10.0, x);
    for (std::size_t m = 0; m < std::size(kModes); ++m) {
      const Row* row = point.mode(kModes[m]);
      const double at = x + kOffset[m];
      tics += fmt::format(", '{}' {:.2f}", kModes[m], at);
      if (row == nullptr) continue;
      double low = 0;
      for (std::size_t s = 0; s < stages.size(); ++s) {
        const double high = low + stage_ns(*row, stages[s]) / 1e3;
        bars[s] +=
            fmt::format("{:.2f} {:.2f} {:.2f} {:.6g} {:.6g}\n", at, at - kHalfBar, at + kHalfBar, low, high);
        low = high;
      }
      const Summary& time = *row->time_ns;
      whole +=
          fmt::format("{:.2f} {:.6g} {:.6g} {:.6g}\n", at, time.median / 1e3, time.q1 / 1e3, time.q3 / 1e3);
      highest = std::max({highest, time.q3 / 1e3, low});
    }
  }
  std::string script = gnuplot_preamble(440) + block("dense", dense) + block("whole", whole);
  std::string plots;
  for (std::size_t s = 0; s < stages.size(); ++s) {
    script += block(stages[s], bars[s]);
    if (bars[s].empty()) continue;
    plots += fmt::format(
        "${} using 1:(0):2:3:4:5 with boxxyerror fillstyle solid noborder linecolor rgb '{}' title '{}', ",
        stages[s], colour(s), stages[s]);
  }
  if (!whole.empty())
    plots +=
        "$whole using 1:2:3:4 with yerrorbars pointtype 0 linewidth 1.5 linecolor rgb '#333333' title 'whole "
        "call, q1 to q3', ";
  if (!dense.empty()) {
    plots +=
        "$dense using 1:2:(0.45) with xerrorbars pointtype 0 linewidth 2.5 linecolor rgb 'black' title "
        "'dense', "
        "$dense using 1:2:3:4 with yerrorbars pointtype 0 linewidth 1.5 linecolor rgb 'black' notitle, ";
  }
  plots.resize(plots.size() - 2);
  script += fmt::format(
      "set title {}\nset ylabel 'time of one call, µs'\nset xlabel 'sparsity'\nset xtics ({}) scale 0\n"
      "set xrange [-0.5:{}]\nset yrange [0:{:.6g}]\nset key outside bottom center horizontal Left "
      "reverse\nplot {}\n",
      gnuplot_text("larosa/layer " + layer.name() + ": overhead and product"), tics,
      static_cast<double>(layer.points.size()) - 0.5, highest * 1.05, plots);
  return {
      fmt::format("{}-stages-{}.svg", file_prefix,
                  file_safe(fmt::format("{}x{} {}", layer.in, layer.out, layer.dtype))),
      fmt::format(
          "Stacked bars per sparsity: what rotation, top-k, scatter and rotating back cost in modes naive "
          "and online of the layer {}, what the product costs, and the dense product as a line",
          layer.name()),
      script};
}

Picture speedup_picture(const std::vector<Layer>& layers, const std::string& dtype,
                        const std::string& file_prefix) {
  std::string script = gnuplot_preamble(460), plots;
  double highest = 1, last = 0;
  std::size_t index = 0;
  for (const Layer& layer : layers) {
    if (layer.dtype != dtype) continue;
    for (const char* mode : {kOnline, kNaive}) {
      std::string data;
      for (const LayerPoint& point : layer.points) {
        const auto change = point.change_of(mode);
        if (!change) continue;
        data += fmt::format("{:g} {:.6g} {:.6g} {:.6g}\n", point.sparsity_permille / 10.0,
                            change->ratio.centre, change->ratio.low, change->ratio.high);
        highest = std::max(highest, change->ratio.high);
        last = std::max(last, point.sparsity_permille / 1000.0);
      }
      if (data.empty()) continue;
      const std::string name = fmt::format("{}{}", mode, index);
      const bool online = mode == std::string(kOnline);
      script += block(name, data);
      plots += fmt::format(
          ", ${} with yerrorlines linewidth 2 dashtype {} pointtype {} pointsize 0.6 linecolor rgb '{}' "
          "title {}",
          name, online ? 1 : 3, online ? 7 : 6, colour(index),
          gnuplot_text(fmt::format("{} {}→{}", mode, layer.in, layer.out)));
    }
    ++index;
  }
  const double bound = last < 1 ? 1 / (1 - last) : highest;
  script += fmt::format(
      "set title {}\nset xlabel 'sparsity, % of the activations dropped'\nset ylabel 'speed-up over dense, "
      "times'\n"
      "set xrange [-2:{:g}]\nset yrange [0:{:.6g}]\nset samples 400\n"
      "set key outside bottom center horizontal Left reverse\n"
      "plot [0:{:g}] 1/(1-x/100) with lines linewidth 1.5 dashtype 2 linecolor rgb '#777777' title "
      "'bound 1/(1-s): no overhead, computed', 1 with lines linewidth 1 linecolor rgb 'black' title "
      "'dense'{}\n",
      gnuplot_text("Speed-up of one linear layer, " + dtype), last * 100 + 2, std::max(highest, bound) * 1.05,
      std::min(last * 100, 99.0), plots);
  return {fmt::format("{}-speedup-{}.svg", file_prefix, file_safe(dtype)),
          fmt::format(
              "Speed-up over the dense layer against sparsity in modes online and naive, {} weights, with "
              "the bound 1/(1-s) as a dashed line",
              dtype),
          script};
}

Picture generation_picture(const CompareRun& run, int number, const std::string& file_prefix) {
  const Side* sides[] = {&run.optimized, &run.baseline};
  std::string script = gnuplot_preamble(260), plots;
  double low[] = {0, 0};
  std::size_t index = 0;
  for (const std::string& stage : stages_of(run)) {
    std::string data;
    for (int s = 0; s < 2; ++s) {
      const double high = low[s] + stage_s(*sides[s], stage) * 1e3;
      data += fmt::format("{:.6g} {} {:.6g} {:.6g} {:g} {:g}\n", low[s], s, low[s], high, s - 0.3, s + 0.3);
      low[s] = high;
    }
    const std::string name = fmt::format("stage{}", index);
    script += block(name, data);
    plots += fmt::format("{}${} with boxxyerror fillstyle solid noborder linecolor rgb '{}' title {}",
                         plots.empty() ? "" : ", ", name, colour(index), gnuplot_text(stage));
    ++index;
  }
  script += fmt::format(
      "set title {}\nset xlabel 'time of one decode step, ms'\nset ytics ('optimized' 0, 'baseline' 1) scale "
      "0\n"
      "unset grid\nset grid xtics linecolor rgb '#dddddd'\nset xrange [0:{:.6g}]\nset yrange [-0.5:1.5]\n"
      "set key outside bottom center horizontal Left reverse\nplot {}\n",
      gnuplot_text(run.model.name + ": where a token's time goes"), std::max({low[0], low[1], 1e-6}) * 1.05,
      plots);
  return {
      fmt::format("{}-generation-{}.svg", file_prefix, number),
      "Stacked bars: the stages of one decode step of the baseline and of the optimized run, in milliseconds",
      script};
}

}  // namespace trisect::report
