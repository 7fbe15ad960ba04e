// phi2 generate: text to standard output as it is made, figures to standard error.
#include <cstdio>

#include "integration/phi2/tokenizer/streaming_decoder.hpp"
#include "integration/runner/commands.hpp"
#include "integration/runner/files.hpp"
#include "integration/runner/generate_figures.hpp"
#include "integration/runner/terminal.hpp"
#include "kernels/core/environment.hpp"
#include "kernels/core/interrupt.hpp"
#include "kernels/core/threads.hpp"

namespace trisect::runner {
namespace {

struct Arguments {
  ModelOptions model;
  LarosaArguments larosa;
  PromptOptions prompt;
  SamplingOptions sampling;
  std::string kv_cache = "static";
  std::string json;
};

/// Writes text as its tokens arrive, ids where there is no tokenizer.
class Output {
 public:
  explicit Output(const phi2::Tokenizer* tokenizer) {
    if (tokenizer != nullptr) decoder_.emplace(*tokenizer);
  }

  void token(std::int32_t id) {
    write(decoder_ ? decoder_->next(id) : fmt::format("{}{}", first_ ? "" : " ", id));
  }

  /// The whole text; a line end follows it on standard output alone.
  std::string finish() {
    if (decoder_) write(decoder_->flush());
    print("\n");
    return decoder_ ? text_ : "";
  }

 private:
  void write(const std::string& part) {
    print(part);
    text_ += part;
    first_ = false;
  }

  std::optional<phi2::StreamingDecoder> decoder_;
  std::string text_;
  bool first_ = true;
};

Generated generate_one(phi2::Engine& engine, const Model& model, const Prompt& prompt,
                       const SamplingOptions& sampling) {
  phi2::GenerateOptions options{.max_new_tokens = sampling.max_new_tokens,
                                .sampling = sampling.params,
                                .vocabulary = model.vocabulary(),
                                .end_of_text = {}};
  if (model.tokenizer) options.end_of_text = model.tokenizer->end_of_text();
  Output output(model.tokenizer.get());
  Generated generated{&prompt, {}, ""};
  generated.measured =
      generate_measured(engine, prompt.ids, options, [&](std::int32_t id) { output.token(id); });
  generated.text = output.finish();
  return generated;
}

ExitCode generate(const Arguments& arguments) {
  const std::string started = utc_now();
  phi2::EngineOptions options;
  options.larosa = parse_larosa(arguments.larosa);
  options.kv_cache = vattention::policy_from_name(arguments.kv_cache);
  dense::validate(arguments.sampling.params);
  const ResultFile file(arguments.json);
  const Model model = find_model(arguments.model);
  const std::vector<Prompt> prompts = read_prompts(arguments.prompt, model, arguments.sampling.params.seed);
  options.context = context_for(prompts, arguments.sampling, model.source.config);

  watch_interrupts();
  pin_threads(arguments.model.threads);
  const LoadedEngine loaded = load_engine(model, options, arguments.larosa.file);
  phi2::Engine& engine = *loaded.engine;
  std::vector<Generated> all;
  for (const Prompt& prompt : prompts) {
    if (interrupted()) break;
    if (prompts.size() > 1) fmt::print(stderr, "> {}\n", prompt.text);
    all.push_back(generate_one(engine, model, prompt, arguments.sampling));
  }

  const Json memory = memory_json(engine);
  const Peaks peaks = measure_peaks(engine, all);
  fmt::print(stderr, "\nload       {:>10}  {}, {}\n", seconds_text(loaded.load_s), model.source.name,
             arguments.model.dtype);
  print_figures(engine, all, peaks, memory);

  Json record = record_header("trisect/generate", started, interrupted());
  record["model"] = model_json(model.source, engine.weights().hash);
  record["settings"] = settings_json(arguments.model, arguments.sampling);
  record["settings"]["context"] = engine.context();
  record["settings"]["kv_cache"] = arguments.kv_cache;
  record["settings"]["larosa"] = larosa_json(options.larosa, loaded.rotation, model.source.config);
  record["settings"]["patch"] = patch_json(model);
  record["variants"] = engine.variants();
  record["load_s"] = loaded.load_s;
  record["generations"] = generations_json(all);
  record["per_character"] = per_character_json(engine, all);
  record["memory"] = memory;
  record["weight_bytes_per_token"] = engine.decode_bytes();
  record["graph_captures"] = engine.graph_captures();
  record["peaks"] = peaks_json(peaks, model.source.config, all);
  file.write(record);
  return interrupted() ? ExitCode::kInterrupted : ExitCode::kOk;
}

}  // namespace

void add_generate(CLI::App& program, ExitCode& exit_code) {
  CLI::App& command = *program.add_subcommand("generate", "Continue a prompt and say what it cost");
  const auto arguments = std::make_shared<Arguments>();
  add_model_options(command, arguments->model);
  CLI::Option* prompt =
      command.add_option("--prompt", arguments->prompt.text, "Text to continue; any bytes, UTF-8 or not");
  add_prompts_option(command, arguments->prompt)->excludes(prompt);
  add_prompt_tokens_option(command, arguments->prompt)->excludes(prompt);
  add_sampling_options(command, arguments->sampling);
  add_larosa_options(command, arguments->larosa);
  add_kv_cache_option(command, arguments->kv_cache);
  command.add_option("--json", arguments->json, "File for all figures, as JSON");
  command.callback([arguments, &exit_code] { exit_code = generate(*arguments); });
}

}  // namespace trisect::runner
