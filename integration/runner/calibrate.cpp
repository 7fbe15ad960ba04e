// phi2 calibrate: LaRoSA's rotations of a model, made once from a text.
#include <chrono>
#include <cstdio>

#include "integration/phi2/engine/coefficient_search.hpp"
#include "integration/runner/commands.hpp"
#include "integration/runner/files.hpp"
#include "integration/runner/measured.hpp"
#include "integration/runner/rotations.hpp"
#include "integration/runner/terminal.hpp"
#include "kernels/core/interrupt.hpp"
#include "kernels/core/threads.hpp"

namespace trisect::runner {
namespace {

struct Arguments {
  ModelOptions model;
  std::string text, output, mode = "online", rotation = "layer";
  CalibrationOptions calibration;
  bool search = false;
  std::string search_sparsity = "0.4";
  int search_tokens = 2048;
};

int search_sparsity(const Arguments& arguments) {
  return parse_sparsity(arguments.search_sparsity, "--search-sparsity");
}

std::string grid_table(const std::vector<phi2::GridPoint>& grid, const phi2::Config& config,
                       int sparsity_permille) {
  std::string table = "coefficients   weights unread   KL to dense, nats   same token\n";
  const phi2::GridPoint& best = phi2::best_of(grid);
  for (const phi2::GridPoint& point : grid) {
    const phi2::LarosaOptions larosa{.sparsity_permille = sparsity_permille,
                                     .coefficients = point.coefficients};
    table += fmt::format("{:.3f},{:.3f} {:>15.2f}% {:>19.5f} {:>11.1f}%{}\n",
                         point.coefficients.in_permille / 1000.0, point.coefficients.out_permille / 1000.0,
                         100 * phi2::weight_sparsity(config, larosa), point.error.mean_kl(),
                         100 * point.error.agreement(), &point == &best ? "  <- best" : "");
  }
  return table;
}

/// Leaves what it found in the rotations' provenance. The weights are used up. It takes the text's last
/// tokens: those that the rotations were not made from, if the text is long enough.
void search(const Arguments& arguments, const CalibrationText& text, phi2::Weights weights,
            phi2::Rotations& rotations) {
  phi2::EngineOptions options;
  options.larosa =
      phi2::LarosaOptions{.mode = mode_from_name(arguments.mode), .rotation = rotations.info().kind};
  phi2::Engine engine(std::move(weights), options, &rotations, stoppable_progress());
  const int sparsity = search_sparsity(arguments);
  const auto ids =
      std::span(text.ids).last(std::min(text.ids.size(), static_cast<std::size_t>(arguments.search_tokens)));
  fmt::print(stderr, "searching coefficients at a sparsity of {:.3f} on {} tokens\n", sparsity / 1000.0,
             ids.size());
  const std::vector<phi2::GridPoint> grid = phi2::search_coefficients(
      engine, ids, sparsity, show_progress(), arguments.output + ".state/search.safetensors");
  print(grid_table(grid, engine.config(), sparsity));
  rotations.info().coefficients = phi2::best_of(grid).coefficients;
  rotations.info().search_sparsity_permille = sparsity;
  rotations.info().search_tokens = static_cast<std::int64_t>(ids.size());
}

ExitCode calibrate(const Arguments& arguments) {
  require_writable(arguments.output);
  const Model model = find_model(arguments.model);
  if (arguments.search) phi2::coefficient_grid(model.source.config, search_sparsity(arguments));
  const CalibrationText text = read_calibration_text(model, arguments.text);
  watch_interrupts();
  pin_threads(arguments.model.threads);
  phi2::Weights weights = load_weights(model);
  const auto start = std::chrono::steady_clock::now();
  CalibrationOptions options = arguments.calibration;
  options.kind = phi2::rotation_kind_from_name(arguments.rotation);
  options.space = space_of(mode_from_name(arguments.mode));
  options.state = arguments.output + ".state";
  const int hidden = weights.config.hidden;
  phi2::Rotations rotations = calibrate_on(text, weights, options);
  if (arguments.search) search(arguments, text, std::move(weights), rotations);
  phi2::save_rotations(arguments.output, rotations);
  std::filesystem::remove_all(options.state);
  const phi2::RotationInfo& info = rotations.info();
  fmt::print(stderr,
             "{}: {} rotations of {} x {}{} for model {} in the space {}, from {} tokens of text {}, in {}\n",
             arguments.output, rotations.rotation_matrices.size(), hidden, hidden,
             info.values ? " and those of values" : "", info.model_hash, info.space, info.text_tokens,
             info.text_hash, seconds_text(seconds_since(start)));
  return ExitCode::kOk;
}

}  // namespace

void add_calibrate(CLI::App& program, ExitCode& exit_code) {
  CLI::App& command = *program.add_subcommand("calibrate", "Make LaRoSA's rotations of a model from a text");
  const auto arguments = std::make_shared<Arguments>();
  add_model_options(command, arguments->model);
  command.add_option("--text", arguments->text, "Text file, of the kind the model will see")->required();
  command
      .add_option(
          "--output", arguments->output,
          "Safetensors file to write; FILE.state beside it keeps finished layers until then, and the same "
          "command goes on with them")
      ->required();
  command
      .add_option("--larosa-mode", arguments->mode,
                  "Mode that the rotations are for: naive and online rotate another space than merged")
      ->check(CLI::IsMember({"naive", "online", "merged"}))
      ->capture_default_str();
  command
      .add_option("--larosa-rotation", arguments->rotation,
                  "layer: a rotation for each layer; global: one for all; none: only those of --values")
      ->check(CLI::IsMember({"layer", "global", "none"}))
      ->capture_default_str();
  command
      .add_flag("--values,!--no-values", arguments->calibration.values,
                "Rotate each head's values too, so that what dense drops is what matters least; costs "
                "nothing later")
      ->capture_default_str();

  command
      .add_option("--damping", arguments->calibration.damping,
                  "Share of the mean second moment that is added to each of them")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command
      .add_option("--max-tokens", arguments->calibration.max_tokens,
                  "Use no more than the text's first tokens")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  CLI::Option* search = command.add_flag(
      "--search", arguments->search,
      "Also find the coefficients (see --larosa-coefficients elsewhere) of least error among those that "
      "leave the same share of weights unread; they are used wherever the file is");
  command
      .add_option("--search-sparsity", arguments->search_sparsity,
                  "That share, within (0, 1); the pair found serves other sparsities too")
      ->needs(search)
      ->capture_default_str();
  command
      .add_option("--search-tokens", arguments->search_tokens,
                  "Search on so many tokens, the text's last ones")
      ->check(CLI::Range(2, 1 << 24))
      ->needs(search)
      ->capture_default_str();
  command.callback([arguments, &exit_code] { exit_code = calibrate(*arguments); });
}

}  // namespace trisect::runner
