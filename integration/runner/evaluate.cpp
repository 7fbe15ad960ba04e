// phi2 evaluate: perplexity and bits per character of a text.
#include <algorithm>
#include <chrono>
#include <cstdio>

#include "integration/phi2/model/content_hash.hpp"
#include "integration/runner/commands.hpp"
#include "integration/runner/files.hpp"
#include "integration/runner/quality.hpp"
#include "integration/runner/record.hpp"
#include "integration/runner/sweep.hpp"
#include "integration/runner/terminal.hpp"
#include "kernels/core/environment.hpp"
#include "kernels/core/error.hpp"
#include "kernels/core/interrupt.hpp"
#include "kernels/core/threads.hpp"

namespace trisect::runner {
namespace {

struct Arguments {
  ModelOptions model;
  LarosaArguments larosa;
  std::optional<std::string> sweep;
  int text_tokens = 0;  ///< 0 means all, or those of a sweep
  std::string text, json;
};

constexpr int kSweepTokens = 8192;

/// The text's ids, not more than are wanted.
struct Text {
  Text(const Model& model, const Arguments& arguments) : path(arguments.text) {
    if (!model.tokenizer) usage_error("{} has no tokenizer.json: add --tokenizer DIR", model.source.name);
    const std::string content = read_text(path);
    hash = phi2::hash_name(phi2::hash_text(content));
    ids = model.tokenizer->encode(content);
    const int most = arguments.text_tokens > 0 ? arguments.text_tokens : arguments.sweep ? kSweepTokens : 0;
    if (most > 0) ids.resize(std::min(ids.size(), static_cast<std::size_t>(most)));
  }
  std::string name() const { return path.filename().string(); }

  std::filesystem::path path;
  std::string hash;
  std::vector<phi2::TokenId> ids;
};

/// One mode and rotation where they are named; else all.
SweepPlan plan_of(const Arguments& arguments) {
  const LarosaArguments& larosa = arguments.larosa;
  if (larosa.sparsity) usage_error("--larosa-sweep names all sparsities: leave out --larosa-sparsity");
  if (larosa.prefill)
    usage_error("--larosa-sweep measures with sparse prefill and without: leave out --larosa-prefill");
  SweepPlan plan;
  plan.sparsities = parse_sparsities(*arguments.sweep);
  plan.values = larosa.values;
  plan.rotation_file = larosa.file;
  if (!larosa.mode.empty()) plan.modes = {mode_from_name(larosa.mode)};
  if (!larosa.rotation.empty()) plan.rotations = {phi2::rotation_kind_from_name(larosa.rotation)};
  if (!larosa.file.empty()) {
    const phi2::RotationInfo info = phi2::read_rotation_info(larosa.file);
    plan.rotations = {info.kind};
    plan.values = info.values;
    plan.coefficients = info.coefficients.value_or(phi2::Coefficients());
    if (plan.modes.empty()) {
      plan.modes = {info.space == phi2::kCentredSpace ? phi2::LarosaMode::kMerged
                                                      : phi2::LarosaMode::kOnline};
    }
  }
  if (!larosa.coefficients.empty()) plan.coefficients = parse_coefficients(larosa.coefficients);
  return plan;
}

ExitCode evaluate_sweep(const Arguments& arguments) {
  const std::string started = utc_now();
  const SweepPlan plan = plan_of(arguments);
  const ResultFile file(arguments.json);
  const Model model = find_model(arguments.model);
  const Text text(model, arguments);
  watch_interrupts();
  pin_threads(arguments.model.threads);
  const Sweep sweep = run_sweep(model, plan, text.ids);
  print(sweep_table(sweep));

  Json record = record_header("trisect/sweep", started, !sweep.complete);
  record["model"] = model_json(model.source, sweep.model_hash);
  record["settings"] = {{"dtype", arguments.model.dtype},
                        {"device", arguments.model.device},
                        {"threads", thread_count()},
                        {"window_tokens", sweep.window},
                        {"prompt_tokens", sweep.prompt}};
  record["text"] = {{"name", text.name()},
                    {"hash", text.hash},
                    {"tokens", text.ids.size()},
                    {"predicted_tokens", sweep.dense.predicted}};
  record.update(sweep_json(sweep));
  file.write(record);
  return sweep.complete ? ExitCode::kOk : ExitCode::kInterrupted;
}

ExitCode evaluate(const Arguments& arguments) {
  if (arguments.sweep) return evaluate_sweep(arguments);
  const std::string started = utc_now();
  phi2::EngineOptions options;
  options.larosa = parse_larosa(arguments.larosa);
  if (options.larosa) options.larosa->prefill = true;  // every token as in decoding
  const ResultFile file(arguments.json);
  const Model model = find_model(arguments.model);
  const Text text(model, arguments);
  const std::vector<phi2::TokenId>& ids = text.ids;

  watch_interrupts();
  pin_threads(arguments.model.threads);
  const LoadedEngine loaded = load_engine(model, options, arguments.larosa.file);
  const auto start = std::chrono::steady_clock::now();
  const phi2::Quality quality = phi2::evaluate(*loaded.engine, ids, 0, show_progress());
  const double seconds = seconds_since(start);
  const auto seen = std::span(ids).first(static_cast<std::size_t>(quality.tokens));
  const std::int64_t characters = predicted_characters(*model.tokenizer, seen, loaded.engine->context());
  const double bits = bits_per_character(quality, characters);

  print(fmt::format("perplexity          {:.4f}\nbits per character  {:.4f}\n", quality.perplexity(), bits));
  fmt::print(stderr, "{} tokens of {}{}, {} of them predicted, in windows of {}; {}, {:.1f} tokens/s\n",
             quality.tokens, text.name(), quality.complete ? "" : fmt::format(" (it has {})", ids.size()),
             quality.predicted, loaded.engine->context(), seconds_text(seconds),
             static_cast<double>(quality.tokens) / seconds);

  Json record = record_header("trisect/evaluate", started, !quality.complete);
  record["model"] = model_json(model.source, loaded.engine->weights().hash);
  record["settings"] = {{"dtype", arguments.model.dtype},
                        {"device", arguments.model.device},
                        {"threads", thread_count()},
                        {"window_tokens", loaded.engine->context()},
                        {"larosa", larosa_json(options.larosa, loaded.rotation, model.source.config)}};
  record["settings"]["patch"] = patch_json(model);
  record["variants"] = loaded.engine->variants();
  record["text"] = text.name();
  record["text_hash"] = text.hash;
  record["tokens"] = quality.tokens;
  record["predicted_tokens"] = quality.predicted;
  record["predicted_characters"] = characters;
  record["nll_nats"] = number_json(quality.nll / static_cast<double>(quality.predicted));
  record["perplexity"] = number_json(quality.perplexity());
  record["bits_per_character"] = number_json(bits);
  record["evaluate_s"] = seconds;
  record["load_s"] = loaded.load_s;
  record["memory"] = memory_json(*loaded.engine);
  file.write(record);
  return quality.complete ? ExitCode::kOk : ExitCode::kInterrupted;
}

}  // namespace

void add_evaluate(CLI::App& program, ExitCode& exit_code) {
  CLI::App& command = *program.add_subcommand("evaluate", "Perplexity and bits per character of a text");
  const auto arguments = std::make_shared<Arguments>();
  add_model_options(command, arguments->model);
  command
      .add_option(
          "--text", arguments->text,
          "Text file; cut into windows of the model's positions, the first token of each is context only")
      ->required();
  add_larosa_options(command, arguments->larosa);
  command
      .add_option(
          "--text-tokens", arguments->text_tokens,
          fmt::format("Use no more than the text's first tokens; default: all, {} for a sweep", kSweepTokens))
      ->check(CLI::PositiveNumber);
  command.add_option(
      "--larosa-sweep", arguments->sweep,
      "Sparsities such as 0,0.2,0.4: perplexity, divergence from the dense model and agreement with it "
      "for each mode and rotation (or those named), on the second half of each window, with and "
      "without dropping in the first half, its prompt");
  command.add_option("--json", arguments->json, "File for all figures, as JSON");
  command.callback([arguments, &exit_code] { exit_code = evaluate(*arguments); });
}

}  // namespace trisect::runner
