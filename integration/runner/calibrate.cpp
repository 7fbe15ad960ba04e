// phi2 calibrate: LaRoSA's rotations of a model, made once from a text.
#include <chrono>
#include <cstdio>

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
};

ExitCode calibrate(const Arguments& arguments) {
  require_writable(arguments.output);
  const Model model = find_model(arguments.model);
  watch_interrupts();
  pin_threads(arguments.model.threads);
  const phi2::Weights weights = phi2::load_weights(model.source, model.dtype, stoppable_progress());
  const auto start = std::chrono::steady_clock::now();
  CalibrationOptions options = arguments.calibration;
  options.kind = phi2::rotation_kind_from_name(arguments.rotation);
  options.space = space_of(mode_from_name(arguments.mode));
  options.state = arguments.output + ".state";
  const phi2::Rotations rotations = calibrate_on(model, weights, arguments.text, options);
  phi2::save_rotations(arguments.output, rotations);
  std::filesystem::remove_all(options.state);
  const phi2::RotationInfo& info = rotations.info();
  fmt::print(stderr,
             "{}: {} rotations of {} x {}{} for model {} in the space {}, from {} tokens of text {}, in {}\n",
             arguments.output, rotations.rotation_matrices.size(), weights.config.hidden,
             weights.config.hidden, info.values ? " and those of values" : "", info.model_hash, info.space,
             info.text_tokens, info.text_hash, seconds_text(seconds_since(start)));
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
  command.callback([arguments, &exit_code] { exit_code = calibrate(*arguments); });
}

}  // namespace trisect::runner
