// phi2 vocabulary: a base vocabulary and an adapted one, on texts, in speed, memory and quality.
#include <chrono>
#include <cstdio>

#include "integration/phi2/engine/evaluate.hpp"
#include "integration/phi2/engine/generate.hpp"
#include "integration/phi2/model/content_hash.hpp"
#include "integration/phi2/model/patch_weights.hpp"
#include "integration/runner/commands.hpp"
#include "integration/runner/files.hpp"
#include "integration/runner/prompts.hpp"
#include "integration/runner/quality.hpp"
#include "integration/runner/record.hpp"
#include "integration/runner/terminal.hpp"
#include "integration/runner/vocabulary_figures.hpp"
#include "kernels/core/environment.hpp"
#include "kernels/core/interrupt.hpp"
#include "kernels/core/threads.hpp"

namespace trisect::runner {
namespace {

namespace fs = std::filesystem;

struct Arguments {
  ModelOptions model;
  PromptOptions prompts;
  SamplingOptions sampling{.params = {.temperature = 0.8F}};
  std::vector<std::string> texts, also;
  std::int64_t text_characters = 40000;
  int seeds = 8;
  std::string json;
};

struct Text {
  std::string name, content;
};

/// One model with one vocabulary.
struct Side {
  std::string name, description;
  Model model;
  std::unique_ptr<phi2::Engine> engine;
  std::vector<Prompt> prompts;
  Json quality = Json::array(), samples = Json::array();
};

Side side_of(const Arguments& arguments, std::string name, std::string description,
             const ModelOptions& options) {
  Side side{std::move(name), std::move(description), find_model(options), nullptr, {}};
  if (!side.model.tokenizer) usage_error("{} has no tokenizer.json: add --tokenizer DIR", options.model);
  side.prompts = read_prompts(arguments.prompts, side.model, arguments.sampling.params.seed);
  return side;
}

std::vector<Side> sides_of(const Arguments& arguments) {
  const std::string& patch = arguments.model.patch_tokenizer;
  ModelOptions options = arguments.model;
  options.patch_tokenizer.clear();
  std::vector<Side> sides;
  sides.push_back(side_of(arguments, "base", "the model's own vocabulary", options));
  for (const std::string& model : arguments.also) {
    options.model = model;
    sides.push_back(side_of(arguments, fs::path(model).filename().string(), "as it is stored", options));
  }
  Side adapted = side_of(arguments, "adapted", "adapted vocabulary, fine-tuned weights", arguments.model);
  if (!adapted.model.patch) usage_error("--patch-tokenizer is missing: an adapted model or its file");
  const auto made = [&](const std::string& file) {
    ModelOptions unstored = arguments.model;
    unstored.patch_tokenizer = file;
    return side_of(arguments, "patched", "adapted vocabulary, rows made when loaded, no fine-tuning",
                   unstored);
  };
  if (!adapted.model.adapted) {
    sides.push_back(made(patch));
    return sides;
  }
  sides.push_back(made((adapted.model.source.directory / phi2::kPatchFile).string()));
  sides.push_back(std::move(adapted));
  return sides;
}

void load(Side& side, const Arguments& arguments) {
  phi2::EngineOptions options;
  options.context = side.model.source.config.positions;
  context_for(side.prompts, arguments.sampling, side.model.source.config);  // refuses what does not fit
  side.engine = load_engine(side.model, options, "").engine;
}

Json text_json(const Text& text, const Side& base, const Side& patched) {
  const auto ids = base.model.tokenizer->encode(text.content);
  const auto fewer = patched.model.tokenizer->encode(text.content);
  return {{"name", text.name},
          {"hash", phi2::hash_name(phi2::hash_text(text.content))},
          {"characters", characters_of(text.content)},
          {"base_tokens", ids.size()},
          {"patched_tokens", fewer.size()},
          {"base_tokens_per_word", tokens_per_word(*base.model.tokenizer, ids)},
          {"patched_tokens_per_word", tokens_per_word(*patched.model.tokenizer, fewer)}};
}

Json top_json(const Text& text, const Side& patched) {
  constexpr std::size_t kTop = 30;
  const phi2::PatchVocabulary& patch = *patched.model.patch;
  Json list = Json::array();
  for (const UsedToken& one : top_tokens(patch, patched.model.tokenizer->encode(text.content), kTop)) {
    const auto& added = patch.added[one.added];
    list.push_back({{"text", patched.model.tokenizer->decode({&added.id, 1})},
                    {"parts", added.parts.size()},
                    {"count", one.count}});
  }
  return list;
}

/// False when Ctrl-C cut it short.
bool evaluate(Side& side, const Text& text, std::int64_t characters) {
  const std::string_view part = first_characters(text.content, characters);
  const auto ids = side.model.tokenizer->encode(part);
  const auto start = std::chrono::steady_clock::now();
  const phi2::Quality quality = phi2::evaluate(*side.engine, ids);
  const double seconds = seconds_since(start);
  if (!quality.complete) return false;
  const std::int64_t predicted = predicted_characters(*side.model.tokenizer, ids, side.engine->context());
  const double bits = bits_per_character(quality, predicted);
  side.quality.push_back({{"text", text.name},
                          {"characters", characters_of(part)},
                          {"tokens", ids.size()},
                          {"predicted_characters", predicted},
                          {"bits_per_character", number_json(bits)},
                          {"evaluate_s", seconds}});
  print(fmt::format("{:<10} {:<20} {:>8} tokens {:>10.4f} bits per character {:>10.1f} characters/s\n",
                    side.name, text.name, ids.size(), bits,
                    static_cast<double>(characters_of(part)) / seconds));
  return true;
}

void sample(Side& side, std::size_t prompt, const SamplingOptions& sampling, std::uint64_t seed) {
  phi2::GenerateOptions options{.max_new_tokens = sampling.max_new_tokens,
                                .sampling = sampling.params,
                                .vocabulary = side.model.vocabulary(),
                                .end_of_text = side.model.tokenizer->end_of_text()};
  options.sampling.seed = seed;
  const phi2::Generation made = phi2::generate(*side.engine, side.prompts[prompt].ids, options);
  if (made.finish == phi2::Finish::kInterrupted) return;
  side.samples.push_back({{"prompt", prompt},
                          {"seed", seed},
                          {"tokens_in", side.prompts[prompt].ids.size()},
                          {"tokens_out", made.ids.size()},
                          {"characters_out", characters_of(side.model.tokenizer->decode(made.ids))},
                          {"decode_steps", made.token_s.size()},
                          {"decode_s", sum(made.token_s)},
                          {"prefill_s", made.prefill_s},
                          {"ended", made.finish == phi2::Finish::kEndOfText}});
}

Json side_json(const Side& side) {
  const phi2::MemoryUse memory = side.engine->memory();
  return {{"name", side.name},
          {"description", side.description},
          {"hash", side.engine->weights().hash},
          {"vocabulary", side.model.vocabulary()},
          {"patched", side.model.patch.has_value()},
          {"weights_bytes", memory.weights},
          {"kv_bytes_per_token", kv_bytes_per_token(side.model.source.config, side.model.dtype)},
          {"quality", side.quality},
          {"samples", side.samples}};
}

ExitCode vocabulary(Arguments arguments) {
  const std::string started = utc_now();
  if (arguments.model.patch_tokenizer.empty())
    usage_error("--patch-tokenizer is missing: an adapted model or its patch_tokenizer.json");
  dense::validate(arguments.sampling.params);
  const ResultFile file(arguments.json);
  if (arguments.texts.empty())
    arguments.texts = {find_text("domain.txt").string(), find_text("general.txt").string()};
  if (arguments.prompts.file.empty()) arguments.prompts.file = find_questions();
  std::vector<Text> texts;
  for (const std::string& path : arguments.texts)
    texts.push_back({fs::path(path).filename().string(), read_text(path)});
  std::vector<Side> sides = sides_of(arguments);
  const Side& patched = sides.back();

  watch_interrupts();
  pin_threads(arguments.model.threads);
  for (Side& side : sides) load(side, arguments);
  Json text_list = Json::array();
  for (const Text& text : texts) text_list.push_back(text_json(text, sides.front(), patched));
  bool complete = true;
  // Sides take turns, so that a change of the machine is in all of them.
  for (const Text& text : texts) {
    for (Side& side : sides) complete = complete && evaluate(side, text, arguments.text_characters);
  }
  for (int seed = 0; seed < arguments.seeds && !interrupted(); ++seed) {
    for (std::size_t prompt = 0; prompt < sides.front().prompts.size() && !interrupted(); ++prompt) {
      for (Side& side : sides)
        sample(side, prompt, arguments.sampling,
               arguments.sampling.params.seed + static_cast<std::uint64_t>(seed));
    }
  }
  complete = complete && !interrupted();

  Json record = record_header("trisect/vocabulary", started, !complete);
  record["model"] = model_json(sides.front().model.source, sides.front().engine->weights().hash);
  record["settings"] = settings_json(arguments.model, arguments.sampling);
  record["settings"]["seeds"] = arguments.seeds;
  record["settings"]["window_tokens"] = sides.front().engine->context();
  record["settings"]["patch"] = patch_json(patched.model);
  record["prompts"] = sides.front().prompts.size();
  record["texts"] = text_list;
  record["top"] = {{"text", texts.front().name}, {"tokens", top_json(texts.front(), patched)}};
  record["sides"] = Json::array();
  for (const Side& side : sides) record["sides"].push_back(side_json(side));
  file.write(record);
  return complete ? ExitCode::kOk : ExitCode::kInterrupted;
}

}  // namespace

void add_vocabulary(CLI::App& program, ExitCode& exit_code) {
  CLI::App& command = *program.add_subcommand(
      "vocabulary", "A model's own vocabulary against an adapted one: tokens, speed, memory, quality");
  const auto arguments = std::make_shared<Arguments>();
  add_model_options(command, arguments->model);
  command.add_option("--text", arguments->texts,
                     "Held-out text, the domain's first; may be repeated; default: those that come with "
                     "Trisect. Tokens are counted on all of it");
  command
      .add_option("--text-characters", arguments->text_characters,
                  "Quality is judged on no more than the first characters of each text")
      ->check(CLI::Range(100, 1000000000))
      ->capture_default_str();
  command.add_option("--also", arguments->also,
                     "A further model to judge beside, such as the base model fine-tuned; may be repeated");
  add_prompts_option(command, arguments->prompts, "; default: five short questions");
  add_sampling_options(command, arguments->sampling);
  command.add_option("--seeds", arguments->seeds, "Times that every prompt is continued, each with a seed")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  command.add_option("--json", arguments->json, "File for all figures, as JSON");
  command.callback([arguments, &exit_code] { exit_code = vocabulary(*arguments); });
}

}  // namespace trisect::runner
