#include "reports/generator/pictures_quality.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "reports/generator/gnuplot.hpp"
#include "reports/generator/units.hpp"

namespace trisect::report {
namespace {

std::size_t rotation_index(const std::string& rotation) {
  return static_cast<std::size_t>(std::find(std::begin(kRotations), std::end(kRotations), rotation) -
                                  std::begin(kRotations));
}

/// none and random are the controls: grey and dashed.
std::string rotation_style(const std::string& rotation) {
  constexpr const char* kStyles[] = {
      "linecolor rgb '#0072b2' pointtype 7", "linecolor rgb '#d55e00' pointtype 9",
      "linecolor rgb '#555555' pointtype 6 dashtype 2", "linecolor rgb '#cc79a7' pointtype 8 dashtype 3"};
  return kStyles[rotation_index(rotation)];
}

struct Range {
  double low = 0, high = 0;
};

/// Round numbers within the range, as many as an axis has room for.
std::vector<double> log_tics(const Range& range) {
  constexpr double kSteps[] = {1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8};
  const double width = range.high / range.low;
  std::vector<double> tics;
  for (double decade = std::pow(10, std::floor(std::log10(range.low))); decade <= range.high; decade *= 10) {
    for (const double step : kSteps) {
      const bool wanted = step == 1 || width < 12 || (width < 1000 && (step == 2 || step == 5));
      if (wanted && decade * step >= range.low && decade * step <= range.high) tics.push_back(decade * step);
    }
  }
  return tics;
}

/// Logarithmic where the range has room for round numbers on it.
std::string y_axis(const Range& range, bool logarithmic) {
  const std::string limits = fmt::format("set yrange [{:.6g}:{:.6g}]\n", range.low, range.high);
  if (!logarithmic || range.high / range.low < 2.5) return limits;
  std::vector<std::string> tics;
  for (const double tic : log_tics(range)) tics.push_back(fmt::format("'{0:g}' {0:g}", tic));
  return fmt::format("set logscale y\n{}set ytics ({})\n", limits, fmt::join(tics, ", "));
}

/// Of all points and of dense; empty when there is none.
std::optional<Range> range_of(const SweepRun& run, const Metric& metric) {
  std::optional<Range> range;
  const auto add = [&](const std::optional<double>& value) {
    if (!value || (metric.logarithmic && *value <= 0)) return;
    range =
        range ? Range{std::min(range->low, *value), std::max(range->high, *value)} : Range{*value, *value};
  };
  for (const SweepPoint& point : run.points) add(metric.value(point));
  if (!range) return std::nullopt;
  add(metric.dense(run));
  if (metric.logarithmic) return Range{range->low / 1.04, range->high * 1.08};
  const double room = std::max((range->high - range->low) * 0.05, std::abs(range->high) * 1e-3 + 1e-3);
  return Range{range->low - room, range->high + room};
}

/// Ticks above a panel: what the sparsities leave unread of the weights, where all points agree on it.
std::string weight_tics(const SweepRun& run) {
  std::map<int, double> shares;
  for (const SweepPoint& point : run.points) {
    if (point.weight_sparsity) shares[point.sparsity_permille] = *point.weight_sparsity;
  }
  std::vector<std::string> tics;
  for (const auto& [permille, share] : shares)
    tics.push_back(fmt::format("'{:.0f}' {:g}", share * 100, permille / 10.0));
  return fmt::format("{}", fmt::join(tics, ", "));
}

std::optional<double> drawn(const Metric& metric, const SweepPoint& point) {
  const auto value = metric.value(point);
  return metric.logarithmic && value && *value <= 0 ? std::nullopt : value;
}

class Panels {
 public:
  Panels(const SweepRun& run, const Metric& metric, const Range& range)
      : run_(run), metric_(metric), range_(range), modes_(modes_of(run)), prefills_(prefills_of(run)) {}

  std::string script() const {
    constexpr double kAbove = 126, kPanel = 220, kBetween = 34, kBelow = 56, kWidth = 860;
    const auto rows = static_cast<double>(prefills_.size());
    const double height = kAbove + rows * kPanel + (rows - 1) * kBetween + kBelow;
    std::string text = gnuplot_preamble(static_cast<int>(height));
    text += fmt::format(
        "set multiplot layout {},{} margins screen {:.4f},0.98,{:.4f},{:.4f} spacing screen 0.07,{:.4f}\n"
        "set xtics nomirror\nset border 3\n{}set xrange [{:g}:{:g}]\nset x2range [{:g}:{:g}]\n",
        prefills_.size(), modes_.size(), 94 / kWidth, kBelow / height, 1 - kAbove / height, kBetween / height,
        y_axis(range_, metric_.logarithmic), left(), right(), left(), right());
    for (std::size_t row = 0; row < prefills_.size(); ++row) {
      for (std::size_t column = 0; column < modes_.size(); ++column) text += panel(row, column);
    }
    return text + "unset multiplot\n";
  }

 private:
  double left() const { return sparsities_of(run_).front() / 10.0 - 3; }
  double right() const { return sparsities_of(run_).back() / 10.0 + 3; }

  std::string panel(std::size_t row, std::size_t column) const {
    Plot plot(fmt::format("panel{}_{}_", row, column));
    for (const Curve& curve : curves_of(run_)) {
      if (curve.mode != modes_[column] || curve.prefill != prefills_[row]) continue;
      std::string data;
      for (const auto& [permille, point] : curve.at) {
        const auto value = drawn(metric_, *point);
        if (value) data += fmt::format("{:g} {:.6g}\n", permille / 10.0, *value);
      }
      plot.add(data, fmt::format("with linespoints linewidth 2 pointsize 0.6 {} notitle",
                                 rotation_style(curve.rotation)));
    }
    if (const auto dense = metric_.dense(run_)) {
      plot.add(fmt::format("{:g} {:.6g}\n{:g} {:.6g}\n", left(), *dense, right(), *dense),
               "with lines linewidth 1 linecolor rgb 'black' notitle");
    }
    const bool first = row == 0 && column == 0;
    return plot.blocks() + decoration(row, column) + "plot NaN notitle" + (first ? legend() : "") +
           plot.more() + "\n";
  }

  /// Axes are labelled at the edges of the whole; the curves leave the corner of their beginning free.
  std::string decoration(std::size_t row, std::size_t column) const {
    std::string text =
        row == 0 && column == 0
            ? "set key at screen 0.5,screen 0.99 center top horizontal Left reverse samplen 3\n"
            : "unset key\n";
    text += fmt::format("set label 1 {} at graph 0.04,{}\n",
                        gnuplot_text(fmt::format("{}, dropping in {}", modes_[column],
                                                 prefills_[row] ? "the prompt too" : "decoding alone")),
                        metric_.logarithmic ? 0.92 : 0.08);
    text +=
        row == 0
            ? fmt::format(
                  "set x2label 'share of the layers'' weights, %' offset 0,-0.5\nset x2tics ({}) scale 0.5\n",
                  weight_tics(run_))
            : "unset x2label\nunset x2tics\n";
    text += column == 0
                ? fmt::format("set ylabel {}\n", gnuplot_text(std::string(metric_.name) + metric_.unit))
                : "unset ylabel\n";
    return text +
           (row + 1 == prefills_.size() ? "set xlabel 'sparsity, %' offset 0,0.3\n" : "unset xlabel\n");
  }

  std::string legend() const {
    std::string text;
    for (const char* rotation : kRotations) {
      const bool occurs = std::any_of(run_.points.begin(), run_.points.end(),
                                      [&](const SweepPoint& point) { return point.rotation == rotation; });
      if (occurs)
        text += fmt::format(", NaN with linespoints linewidth 2 pointsize 0.6 {} title '{}'",
                            rotation_style(rotation), rotation);
    }
    return text +
           (metric_.dense(run_) ? ", NaN with lines linewidth 1 linecolor rgb 'black' title 'dense'" : "");
  }

  const SweepRun& run_;
  const Metric& metric_;
  Range range_;
  std::vector<std::string> modes_;
  std::vector<bool> prefills_;
};

std::string point_line(const ParetoPoint& point) {
  return fmt::format("{:.6g} {:.6g} \"{:g} %\"\n", point.speedup.centre, point.price,
                     point.sparsity_permille / 10.0);
}

}  // namespace

const Metric kMetricList[kMetrics] = {
    {"perplexity", "perplexity", "", [](const SweepPoint& p) { return p.perplexity; },
     [](const SweepRun& run) { return run.dense_perplexity; }, true},
    {"KL divergence from dense", "kl", ", nats", [](const SweepPoint& p) { return p.kl_nats; },
     [](const SweepRun&) { return std::optional<double>(); }, true},
    {"agreement with dense", "agreement", ", %",
     [](const SweepPoint& p) { return p.agreement ? std::optional(100 * *p.agreement) : std::nullopt; },
     [](const SweepRun&) { return std::optional(100.0); }, false}};

Picture quality_picture(const SweepRun& run, const Metric& metric, int number,
                        const std::string& file_prefix) {
  const auto range = range_of(run, metric);
  return {fmt::format("{}-quality-{}-{}.svg", file_prefix, number, metric.file),
          fmt::format(
              "{} of {} against sparsity: a panel for each mode, with dropping in decoding alone and in the "
              "prompt too, a curve for each rotation",
              metric.name, run.model.name),
          range ? Panels(run, metric, *range).script() : ""};
}

Picture pareto_picture(const Pareto& pareto, int number, const std::string& file_prefix) {
  Plot plot;
  std::map<std::pair<std::string, std::string>, std::string> curves;
  Range price{1, 1}, speed{1, 1};
  std::vector<const ParetoPoint*> front;
  for (const ParetoPoint& point : pareto.points) {
    curves[{point.mode, point.rotation}] += point_line(point);
    price = {std::min(price.low, point.price), std::max(price.high, point.price)};
    speed = {std::min(speed.low, point.speedup.centre),
             std::max(speed.high, point.front ? point.speedup.high : point.speedup.centre)};
    if (point.front) front.push_back(&point);
  }
  std::sort(front.begin(), front.end(),
            [](const auto* a, const auto* b) { return a->speedup.centre < b->speedup.centre; });
  std::string line, labelled, spread;
  double last_label = -1e300;
  for (const ParetoPoint* point : front) {
    line += point_line(*point);
    spread += fmt::format("{:.6g} {:.6g} {:.6g}\n", point->speedup.low, point->price, point->speedup.high);
    // Labels of neighbours would lie on each other.
    if (point->speedup.centre - last_label < 0.08 * (speed.high - speed.low)) continue;
    labelled += point_line(*point);
    last_label = point->speedup.centre;
  }
  plot.add(line, "using 1:2 with lines linewidth 9 linecolor rgb '#e8d48a' title 'front'");
  for (const auto& [key, data] : curves) {
    const auto& [mode, rotation] = key;
    plot.add(data, fmt::format("using 1:2 with linespoints linewidth {} pointsize 0.7 {} title {}",
                               mode == "merged" ? 2 : 1, rotation_style(rotation),
                               gnuplot_text(mode + " " + rotation)));
  }
  plot.add(spread,
           "using 1:2:($3-$1):(0) with vectors heads size screen 0.004,90 linewidth 1.5 linecolor rgb "
           "'#444444' title "
           "'quartiles'");
  plot.add(labelled, "using 1:2:3 with labels left offset 0.5,-0.7 notitle");
  plot.add("1 1\n", "with points pointtype 5 pointsize 1.2 linecolor rgb 'black' title 'dense'");
  price = {price.low / std::pow(price.high / price.low, 0.1), price.high * 1.05};  // room for the labels
  return {
      fmt::format("{}-pareto-{}.svg", file_prefix, number),
      "Perplexity over dense against the speed-up of a phi-2 block in decoding, a curve for each mode and "
      "rotation, the points that no other beats in both joined as the front",
      plot.script(
          480, fmt::format(
                   "set xlabel 'speed-up of the linear layers of a phi-2 block in decoding, times'\n"
                   "set ylabel 'perplexity over dense, times'\nset title 'Speed against quality'\nset xrange "
                   "[{:.6g}:{:.6g}]\n{}set key outside right top vertical Left reverse\n",
                   speed.low - 0.1, speed.high * 1.03, y_axis(price, true)))};
}

}  // namespace trisect::report
