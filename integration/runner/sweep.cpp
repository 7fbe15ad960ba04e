#include "integration/runner/sweep.hpp"

#include <algorithm>
#include <cstdio>

#include "integration/runner/rotations.hpp"
#include "integration/runner/terminal.hpp"
#include "kernels/core/error.hpp"
#include "kernels/core/interrupt.hpp"

namespace trisect::runner {
namespace {

using phi2::LarosaMode;
using phi2::RotationKind;

/// All modes and rotations, the impossible ones refused before anything is measured.
std::vector<phi2::LarosaOptions> ways_of(SweepPlan plan) {
  if (plan.modes.empty()) plan.modes = {LarosaMode::kOnline, LarosaMode::kMerged};
  if (plan.rotations.empty()) {
    plan.rotations = {RotationKind::kLayer, RotationKind::kGlobal, RotationKind::kRandom,
                      RotationKind::kNone};
  }
  std::vector<phi2::LarosaOptions> ways;
  for (const LarosaMode mode : plan.modes) {
    for (const RotationKind rotation : plan.rotations) {
      ways.push_back(
          {.mode = mode, .rotation = rotation, .coefficients = plan.coefficients, .values = plan.values});
    }
  }
  for (phi2::LarosaOptions options : ways) {
    for (const int permille : plan.sparsities) {
      options.sparsity_permille = permille;
      phi2::validate(options);
    }
  }
  return ways;
}

void sweep_one(const Model& model, const phi2::LarosaOptions& way, const SweepPlan& plan,
               const phi2::Reference& reference, Sweep& sweep) {
  phi2::EngineOptions engine_options;
  engine_options.larosa = way;
  const LoadedEngine loaded = load_engine(model, engine_options, plan.rotation_file);
  phi2::Engine& engine = *loaded.engine;
  for (const bool sparse_prompt : {false, true}) {
    for (const int permille : plan.sparsities) {
      phi2::LarosaOptions options = way;
      options.sparsity_permille = permille;
      options.prefill = sparse_prompt;
      engine.set_larosa(options);
      const phi2::Divergence quality = reference.compare(engine, sparse_prompt);
      if (interrupted()) {
        sweep.complete = false;
        return;
      }
      sweep.points.push_back(
          {options, loaded.rotation, phi2::weight_sparsity(engine.config(), options), quality});
    }
  }
}

std::string way_of(const SweepPoint& point) {
  return fmt::format("{:<6} {:<6} {}", name_of(point.larosa.mode), phi2::name_of(point.larosa.rotation),
                     point.larosa.prefill ? "decode + prefill" : "decode");
}

template <class Value>
std::string table_of(const Sweep& sweep, const char* title, Value value) {
  std::string text = fmt::format("\n{:<31}", title);
  const std::string first = sweep.points.empty() ? "" : way_of(sweep.points.front());
  for (const SweepPoint& point : sweep.points) {
    if (way_of(point) == first) text += fmt::format("{:>8.3g}", point.larosa.sparsity_permille / 1000.0);
  }
  std::string last;
  for (const SweepPoint& point : sweep.points) {
    if (way_of(point) != last) text += fmt::format("\n{:<31}", last = way_of(point));
    text += fmt::format("{:>8}", value(point.quality));
  }
  return text + "\n";
}

Json quality_json(const phi2::Divergence& quality) {
  return {{"perplexity", number_json(quality.perplexity())},
          {"nll_nats", number_json(quality.nll / static_cast<double>(quality.predicted))},
          {"kl_nats", number_json(quality.mean_kl())},
          {"agreement", number_json(quality.agreement())}};
}

/// Below the sparsities: what they mean for the weights.
std::string weights_row(const Sweep& sweep) {
  std::string row = fmt::format("\n{:<31}", "share of the layers' weights");
  for (const SweepPoint& point : sweep.points) {
    if (way_of(point) == way_of(sweep.points.front())) row += fmt::format("{:>8.3f}", point.weight_sparsity);
  }
  return row + "\n";
}

}  // namespace

std::vector<int> parse_sparsities(std::string_view text) {
  std::vector<int> permilles;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(',', at), text.size());
    permilles.push_back(parse_sparsity(text.substr(at, end - at)));
    at = end + 1;
  }
  return permilles;
}

Sweep run_sweep(const Model& model, const SweepPlan& plan, std::span<const std::int32_t> ids) {
  const std::vector<phi2::LarosaOptions> ways = ways_of(plan);
  Sweep sweep;
  sweep.window = model.source.config.positions;
  sweep.prompt = sweep.window / 2;
  const phi2::TextWalk text{.ids = ids, .window = sweep.window, .prompt = sweep.prompt};
  std::optional<phi2::Reference> reference;
  {
    const LoadedEngine dense = load_engine(model, {}, "");
    sweep.model_hash = dense.engine->weights().hash;
    reference.emplace(*dense.engine, text, show_progress());
  }
  sweep.dense = reference->dense();
  for (const phi2::LarosaOptions& way : ways) {
    fmt::print(stderr, "{}, rotation {}: {} sparsities\n", name_of(way.mode), phi2::name_of(way.rotation),
               plan.sparsities.size());
    sweep_one(model, way, plan, *reference, sweep);
    if (!sweep.complete) break;
  }
  return sweep;
}

std::string sweep_table(const Sweep& sweep) {
  std::string text = fmt::format("dense: perplexity {:.3f} over {} predicted tokens\n",
                                 sweep.dense.perplexity(), sweep.dense.predicted);
  text += weights_row(sweep);
  text += table_of(sweep, "perplexity at sparsity",
                   [](const auto& q) { return fmt::format("{:.3f}", q.perplexity()); });
  text += table_of(sweep, "KL to dense, nats a token",
                   [](const auto& q) { return fmt::format("{:.4f}", q.mean_kl()); });
  text += table_of(sweep, "same most probable token, %",
                   [](const auto& q) { return fmt::format("{:.1f}", 100 * q.agreement()); });
  return text;
}

Json sweep_json(const Sweep& sweep) {
  Json points = Json::array();
  for (const SweepPoint& point : sweep.points) {
    Json entry{{"mode", name_of(point.larosa.mode)},
               {"rotation", phi2::name_of(point.larosa.rotation)},
               {"values", point.larosa.values},
               {"origin", point.rotation},
               {"space", space_of(point.larosa.mode)},
               {"prefill", point.larosa.prefill},
               {"sparsity_permille", point.larosa.sparsity_permille},
               {"coefficient_in", point.larosa.coefficients.in_permille / 1000.0},
               {"coefficient_out", point.larosa.coefficients.out_permille / 1000.0},
               {"weight_sparsity", point.weight_sparsity}};
    entry.update(quality_json(point.quality));
    points.push_back(std::move(entry));
  }
  return {{"dense", quality_json(sweep.dense)}, {"points", points}};
}

}  // namespace trisect::runner
