#include <fmt/format.h>

#include <algorithm>

#include "reports/generator/markdown.hpp"
#include "reports/generator/pictures_quality.hpp"
#include "reports/generator/sections.hpp"
#include "reports/generator/units.hpp"

namespace trisect::report {
namespace {

const char* where(bool prefill) { return prefill ? "the prompt too" : "decoding alone"; }

std::string setting_lines(const SweepRun& run) {
  std::string origins;
  for (const std::string& origin : run.rotation_origins)
    origins += (origins.empty() ? "" : "; ") + escape(origin);
  return fmt::format(
      "Model: {} ({:.0f} parameters, hash `{}`), weights {}, device {}. Text: {} (hash `{}`), its first {}, "
      "of which {} are predicted: it is cut into windows of {}, each with an empty cache; the first {} of a "
      "window are prefilled as a prompt, the others come one by one, as in decoding. Rotations: {}.{} The "
      "inputs of q, k, v and fc1 are {} times as sparse as the nominal sparsity says, those of dense and fc2 "
      "{} times; the share of the layers' weights that this drops the activations of stands beside it. "
      "LaRoSA leaves the prompt dense unless `--larosa-prefill` asks, so both are shown.\n\n",
      escape(run.model.name), run.model.parameters, escape(run.model.hash), escape(run.dtype),
      escape(run.device), escape(run.text), escape(run.text_hash), count(run.tokens, "token"),
      run.predicted_tokens, count(run.window_tokens, "token"), run.prompt_tokens,
      origins.empty() ? "of unknown origin" : origins,
      run.values ? " Each head's values are rotated too, other than with `none`." : "", run.coefficient_in,
      run.coefficient_out);
}

/// "10 %", "40 % and 50 %", "20 % to 60 %" where nothing measured between them is missing.
std::string sparsities_text(const std::vector<int>& some, const std::vector<int>& all) {
  const auto first = std::find(all.begin(), all.end(), some.front());
  const bool run =
      std::equal(some.begin(), some.end(), first, first + std::min<long>(some.size(), all.end() - first));
  if (some.size() > 2 && run) return sparsity(some.front()) + " to " + sparsity(some.back());
  std::string text;
  for (std::size_t i = 0; i < some.size(); ++i)
    text += (i == 0 ? "" : i + 1 == some.size() ? " and " : ", ") + sparsity(some[i]);
  return text;
}

/// "better at 40 % to 75 % (by 2.4 % to 60.9 %), the same within 1 % at 20 %".
std::string against_text(const AgainstNone& against) {
  std::vector<int> all;
  for (const auto& [permille, price] : against.price) all.push_back(permille);
  std::string text;
  const auto add = [&](const char* what, const std::vector<int>& at, bool by) {
    if (at.empty()) return;
    double least = 1e300, most = 0;
    for (const int permille : at) {
      const double difference = std::abs(against.price.at(permille) - 1);
      least = std::min(least, difference);
      most = std::max(most, difference);
    }
    text +=
        fmt::format("{}{} at {}", text.empty() ? "" : ", ", what,
                    at.size() == all.size() && at.size() > 1 ? "every sparsity" : sparsities_text(at, all));
    if (by)
      text += at.size() == 1 ? fmt::format(" (by {})", percent(most))
                             : fmt::format(" (by {} to {})", percent(least), percent(most));
  };
  add("better", against.better(), true);
  add("worse", against.worse(), true);
  add("the same within 1 %", against.same(), false);
  return text;
}

std::string against_lines(const SweepRun& run) {
  std::string text;
  for (const bool prefill : prefills_of(run)) {
    for (const std::string& mode : modes_of(run)) {
      std::string line;
      for (const AgainstNone& against : against_none(run)) {
        if (against.mode == mode && against.prefill == prefill)
          line += fmt::format("{}{} is {}", line.empty() ? "" : "; ", code(against.rotation),
                              against_text(against));
      }
      if (!line.empty()) text += fmt::format("- Mode {}, dropping in {}: {}.\n", mode, where(prefill), line);
    }
  }
  return text.empty() ? "" : "Perplexity against `none` at equal sparsity:\n\n" + text + "\n";
}

std::string metric_table(const SweepRun& run, const Metric& metric, std::string (*format)(double)) {
  const auto sparsities = sparsities_of(run);
  std::vector<Table::Column> columns = {{"dropping in", kLeft}, {"mode", kLeft}, {"rotation", kLeft}};
  for (const int permille : sparsities) columns.push_back({sparsity(permille)});
  Table table(columns);
  std::vector<std::string> unread = {"share of the layers' weights", "", ""};
  for (const int permille : sparsities) {
    std::optional<double> low, high;
    for (const SweepPoint& point : run.points) {
      if (point.sparsity_permille != permille || !point.weight_sparsity) continue;
      low = std::min(low.value_or(1), *point.weight_sparsity);
      high = std::max(high.value_or(0), *point.weight_sparsity);
    }
    unread.push_back(!low                              ? kNone
                     : percent(*low) == percent(*high) ? percent(*low)
                                                       : percent(*low) + "–" + percent(*high));
  }
  table.add(unread);
  for (const Curve& curve : curves_of(run)) {
    std::vector<std::string> cells = {where(curve.prefill), curve.mode, curve.rotation};
    for (const int permille : sparsities) {
      const auto found = curve.at.find(permille);
      const auto value = found == curve.at.end() ? std::nullopt : metric.value(*found->second);
      cells.push_back(value ? format(*value) : kNone);
    }
    table.add(cells);
  }
  return table.markdown();
}

std::string metric_part(const SweepRun& run, const Metric& metric, int number, const std::string& prefix,
                        Album& album, std::string (*format)(double)) {
  Picture picture = quality_picture(run, metric, number, prefix);
  return metric_table(run, metric, format) + (picture.script.empty() ? "" : album.add(std::move(picture)));
}

std::string one_decimal(double value) { return fmt::format("{:.1f}", value); }
std::string small(double value) { return fmt::format("{:.4f}", value); }

std::string pareto_table(const SweepRun& run, const Pareto& pareto, bool front_only) {
  Table table({{"sparsity"},
               {"mode", kLeft},
               {"rotation", kLeft},
               {"speed-up of the block"},
               {"perplexity"},
               {"over dense"},
               {"on the front", kLeft}});
  std::vector<const ParetoPoint*> points;
  for (const ParetoPoint& point : pareto.points) {
    if (point.front || !front_only) points.push_back(&point);
  }
  if (front_only) {
    std::sort(points.begin(), points.end(),
              [](const auto* a, const auto* b) { return a->speedup.centre < b->speedup.centre; });
  }
  for (const ParetoPoint* point : points) {
    table.add({sparsity(point->sparsity_permille), point->mode, point->rotation, times(point->speedup),
               number(point->price * *run.dense_perplexity), signed_percent(point->price - 1),
               point->front ? "yes" : ""});
  }
  return table.markdown();
}

std::string pareto_text(const SweepRun& run, int index, const std::vector<Layer>& layers,
                        const std::string& prefix, Album& album) {
  const auto pareto = pareto_of(run, layers);
  if (!pareto) return "";
  std::string text = fmt::format(
      "### Speed against quality\n\n**Two models meet here: quality is {}'s, from this sweep; speed is of "
      "the linear layers of one phi-2 block ({}), from the microbenchmarks above, at the sparsities that "
      "the coefficients make of the nominal one, interpolated between measured ones.** Selection in "
      "decoding alone. `online` rotates at run time; `merged` with `layer` pays for an adapter; `merged` "
      "with `global` or `random`, which are one matrix for all layers, and `none` in either mode rotate "
      "nothing at run time. The front joins the points that no other, nor dense, beats in both, by medians.",
      escape(run.model.name), escape(pareto->dtype));
  if (pareto->dtype != run.dtype) text += fmt::format(" The sweep ran with {} weights.", escape(run.dtype));
  if (pareto->beyond > 0)
    text += fmt::format(" Left out, because their sparsities are beyond those of the microbenchmarks: {}.",
                        count(pareto->beyond, "point"));
  text += "\n\n" + album.add(pareto_picture(*pareto, index, prefix));
  const bool front =
      std::any_of(pareto->points.begin(), pareto->points.end(), [](const ParetoPoint& p) { return p.front; });
  text += front ? pareto_table(run, *pareto, true)
                : "No point is on the front: at every sparsity dense is at least as fast and as good.\n\n";
  return text + details("Every point", pareto_table(run, *pareto, false));
}

/// What became of rotations of one sort against none, over the modes.
struct Judged {
  int count = 0, better = 0, worse = 0;
  void add(double price) {
    ++count;
    better += price <= 1 - kSamePerplexity ? 1 : 0;
    worse += price >= 1 + kSamePerplexity ? 1 : 0;
  }
  std::string verb() const {
    if (better == count) return "helps";
    if (better > 0) return worse > 0 ? "helps in one mode and harms in another" : "helps in part";
    if (worse == count) return "does not help, it makes it worse";
    return worse > 0 ? "does not help, it makes it worse in part" : "does not help: no difference";
  }
};

const SweepPoint* find(const SweepRun& run, const std::string& mode, const std::string& rotation,
                       bool prefill, int permille) {
  for (const SweepPoint& point : run.points) {
    if (point.mode == mode && point.rotation == rotation && point.prefill == prefill &&
        point.sparsity_permille == permille && point.perplexity)
      return &point;
  }
  return nullptr;
}

}  // namespace

std::string quality_headline(const SweepRun& run, const Results& results) {
  const auto all = against_none(run);
  const int permille = telling_sparsity(all, wanted_sparsities(results));
  if (permille == 0) return "";
  const bool prefill = prefills_of(run).front();
  Judged calibrated, random;
  std::string figures;
  for (const std::string& mode : modes_of(run)) {
    const SweepPoint* none = find(run, mode, kUnrotated, prefill, permille);
    if (none == nullptr) continue;
    std::string line;
    for (const AgainstNone& against : all) {
      const auto price = against.price.find(permille);
      if (against.mode != mode || against.prefill != prefill || price == against.price.end()) continue;
      line += fmt::format(", {} {} ({})", code(against.rotation), number(price->second * *none->perplexity),
                          signed_percent(price->second - 1));
      (against.rotation == kRandom ? random : calibrated).add(price->second);
    }
    if (!line.empty())
      figures += fmt::format(" Mode {}: {} {}{}.", mode, code(kUnrotated), number(*none->perplexity), line);
  }
  if (figures.empty()) return "";
  std::string text =
      fmt::format("**On {} at {} sparsity {}{}{}.**", escape(run.model.name), sparsity(permille),
                  calibrated.count > 0 ? "a calibrated rotation " + calibrated.verb() : "",
                  calibrated.count > 0 && random.count > 0 ? "; " : "",
                  random.count > 0 ? "a random one " + random.verb() : "");
  text += fmt::format(" Perplexity on {}, dropping in {}{}; in brackets against {}.", escape(run.text),
                      where(prefill), run.dense_perplexity ? ", dense " + number(*run.dense_perplexity) : "",
                      code(kUnrotated));
  return text + figures;
}

std::string quality_section(const SweepRun& run, const Results& results, int index,
                            const std::vector<Layer>& layers, const std::string& prefix, Album& album) {
  std::string text =
      fmt::format("## Quality against sparsity: {}\n\n", escape(run.model.name)) + setting_lines(run);
  if (run.points.empty()) return text + "The sweep ended before its first point.\n\n";
  const std::string headline = quality_headline(run, results);
  text += headline.empty() ? "" : headline + "\n\n";
  text += against_lines(run);
  if (run.dense_perplexity)
    text += fmt::format("Perplexity; dense has {}:\n\n", number(*run.dense_perplexity));
  text += metric_part(run, kMetricList[0], index, prefix, album, number);
  text += details("KL divergence from the dense model's predictions, nats a token",
                  metric_part(run, kMetricList[1], index, prefix, album, small));
  text +=
      details("Tokens at which the dense model's most probable successor is the most probable here too, %",
              metric_part(run, kMetricList[2], index, prefix, album, one_decimal));
  text += pareto_text(run, index, layers, prefix, album);
  return text + "Again:\n\n" + code_block(shell_command(run.origin.command)) + "\n";
}

}  // namespace trisect::report
