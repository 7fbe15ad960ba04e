// phi2 evaluate: perplexity and bits per character of a text.
#include <chrono>
#include <cstdio>

#include "integration/runner/commands.hpp"
#include "integration/runner/files.hpp"
#include "integration/runner/quality.hpp"
#include "integration/runner/record.hpp"
#include "integration/runner/terminal.hpp"
#include "kernels/core/environment.hpp"
#include "kernels/core/interrupt.hpp"
#include "kernels/core/threads.hpp"

namespace trisect::runner {
namespace {

struct Arguments {
  ModelOptions model;
  LarosaArguments larosa;
  std::string text, json;
};

ExitCode evaluate(const Arguments& arguments) {
  const std::string started = utc_now();
  phi2::EngineOptions options;
  options.larosa = parse_larosa(arguments.larosa);
  if (options.larosa) options.larosa->prefill = true;  // every token as in decoding
  const ResultFile file(arguments.json);
  const Model model = find_model(arguments.model);
  if (!model.tokenizer) usage_error("{} has no tokenizer.json: add --tokenizer DIR", model.source.name);
  const std::filesystem::path path = arguments.text;
  const std::vector<phi2::TokenId> ids = model.tokenizer->encode(read_text(path));

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
             quality.tokens, path.filename().string(),
             quality.complete ? "" : fmt::format(" (it has {})", ids.size()), quality.predicted,
             loaded.engine->context(), seconds_text(seconds), static_cast<double>(quality.tokens) / seconds);

  Json record = record_header("trisect/evaluate", started, !quality.complete);
  record["model"] = model_json(model.source, loaded.engine->weights().hash);
  record["settings"] = {{"dtype", arguments.model.dtype},
                        {"device", arguments.model.device},
                        {"threads", thread_count()},
                        {"window_tokens", loaded.engine->context()},
                        {"larosa", larosa_json(options.larosa, loaded.rotation)}};
  record["variants"] = loaded.engine->variants();
  record["text"] = path.filename().string();
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
  command.add_option("--json", arguments->json, "File for all figures, as JSON");
  command.callback([arguments, &exit_code] { exit_code = evaluate(*arguments); });
}

}  // namespace trisect::runner
