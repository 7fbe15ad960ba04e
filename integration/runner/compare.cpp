// phi2 compare: the baseline and every combination of optimisations on the same prompts.
#include <sched.h>
#include <strings.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "integration/phi2/model/content_hash.hpp"
#include "integration/phi2/model/mapped_file.hpp"
#include "integration/phi2/model/overlay.hpp"
#include "integration/runner/commands.hpp"
#include "integration/runner/files.hpp"
#include "integration/runner/side_by_side.hpp"
#include "integration/runner/temporary_directory.hpp"
#include "integration/runner/terminal.hpp"
#include "integration/runner/vocabularies.hpp"
#include "kernels/core/environment.hpp"
#include "kernels/core/interrupt.hpp"
#include "kernels/core/threads.hpp"

namespace trisect::runner {
namespace {

namespace fs = std::filesystem;

struct Arguments {
  ModelOptions model;
  LarosaArguments larosa;
  PromptOptions prompts;
  SamplingOptions sampling;
  std::string kv_cache = "static";
  std::string only, adapted_rotations;
  int repetitions = 9, at_once = 0;
  std::string text;
  int text_tokens = 4096;
  std::string out, json;
};

cpu_set_t allowed_processors() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) {
    environment_error("cannot read which processors may be used: {}", std::strerror(errno));
  }
  return set;
}

void read_into_page_cache(const fs::path& directory) {
  for (const fs::directory_entry& entry : fs::directory_iterator(directory)) {
    if (entry.path().extension() != ".safetensors") continue;
    const phi2::MappedFile file(entry.path());
    // When it fails, loading will say why.
    static_cast<void>(file.populate(0, file.bytes().size()));
  }
}

/// The first side to load would otherwise wait for the disk, and the second not.
void read_into_page_cache(const phi2::ModelSource& source) {
  if (source.synthetic()) return;
  if (const auto overlay = phi2::find_overlay(source.directory)) read_into_page_cache(overlay->base);
  read_into_page_cache(source.directory);
}

fs::path result_path(const Arguments& arguments) {
  if (arguments.out.empty()) return arguments.json;
  std::error_code error;
  fs::create_directories(arguments.out, error);
  if (error) environment_error("cannot create {}: {}", arguments.out, error.message());
  return fs::path(arguments.out) / "compare.json";
}

/// The text that quality is judged by; empty for random weights, which have none.
fs::path quality_text(const Arguments& arguments, const Model& model) {
  if (!arguments.text.empty()) {
    if (!model.tokenizer) usage_error("{} has no tokenizer.json: add --tokenizer DIR", model.source.name);
    return arguments.text;
  }
  if (model.source.synthetic() || !model.tokenizer) return "";
  return find_text(arguments.model.patch_tokenizer.empty() ? "general.txt" : "domain.txt");
}

void refuse_spinning_teams() {
  const char* policy = std::getenv("OMP_WAIT_POLICY");
  if (policy != nullptr && strcasecmp(policy, "active") == 0) {
    usage_error(
        "OMP_WAIT_POLICY=active keeps idle threads busy, and the idle side would slow the other: unset it");
  }
}

/// What the first tokens of a file stand for.
std::string first_tokens(const phi2::Tokenizer& tokenizer, const fs::path& file, int most) {
  std::vector<phi2::TokenId> ids = tokenizer.encode(read_text(file));
  ids.resize(std::min(ids.size(), static_cast<std::size_t>(most)));
  return tokenizer.decode(ids);
}

std::string describe(const Combination& combination, const Arguments& arguments, const Model& model,
                     const std::optional<phi2::LarosaOptions>& larosa) {
  if (combination.baseline())
    return "every weight is read, the KV cache is static, the vocabulary the model's own";
  std::vector<std::string> parts;
  if (combination.vocabulary) {
    parts.push_back(fmt::format(
        "AdaptiVocab, {} tokens added, {} removed, {}", model.patch->added.size(),
        model.patch->removed.size(),
        model.adapted ? fmt::format("the stored weights of {}", model.source.name)
                      : fmt::format("rows {} without fine-tuning", phi2::name_of(model.patch->init))));
  }
  if (combination.larosa) {
    parts.push_back(fmt::format("LaRoSA {}, rotation {}, sparsity {:.3f} ({:.3f} of the layers' weights)",
                                name_of(larosa->mode), phi2::name_of(larosa->rotation),
                                larosa->sparsity_permille / 1000.0,
                                phi2::weight_sparsity(model.source.config, *larosa)));
  }
  if (combination.kv_cache) parts.push_back(fmt::format("KV cache {}", arguments.kv_cache));
  return fmt::format("{}", fmt::join(parts, "; "));
}

/// Tokens that every side's KV cache has room for. A static one is made for the longest sequence that may
/// come, and that is what another is compared with.
int context_of(const Arguments& arguments, const Combination& asked,
               const std::vector<Vocabulary>& vocabularies) {
  int context = 0;
  for (const Vocabulary& vocabulary : vocabularies) {
    const phi2::Config& config = vocabulary.model.source.config;
    const int needed = context_for(vocabulary.prompts, arguments.sampling, config);
    context =
        std::max(context, asked.kv_cache && arguments.sampling.context == 0 ? config.positions : needed);
  }
  return context;
}

Json forced_json(const PromptOptions& prompts) {
  if (prompts.decode_text.empty()) return {};
  return {{"text", fs::path(prompts.decode_text).filename().string()},
          {"hash", phi2::hash_name(phi2::hash_text(read_text(prompts.decode_text)))},
          {"passages", prompts.passages},
          {"characters", prompts.passage_characters}};
}

ExitCode compare(const Arguments& arguments) {
  Comparison comparison;
  comparison.started_utc = utc_now();
  const std::optional<phi2::LarosaOptions> larosa = parse_larosa(arguments.larosa);
  const Combination asked{larosa.has_value(), arguments.kv_cache != "static",
                          !arguments.model.patch_tokenizer.empty()};
  if (asked.baseline())
    usage_error(
        "compare needs something to compare with: add --larosa-sparsity, --kv-cache or --patch-tokenizer");
  const std::vector<Combination> combinations = combinations_of(asked, arguments.kv_cache, arguments.only);
  if (combinations.size() == 1)
    usage_error("--only {}: nothing to compare with the baseline", arguments.only);
  dense::validate(arguments.sampling.params);
  refuse_spinning_teams();
  const ResultFile file(result_path(arguments));
  std::vector<Vocabulary> vocabularies =
      vocabularies_of(arguments.model, arguments.prompts, arguments.sampling);
  vocabularies.front().rotation_file = arguments.larosa.file;
  if (asked.vocabulary) vocabularies.back().rotation_file = arguments.adapted_rotations;
  const Model& model = vocabularies.front().model;
  CompareSetup setup{.options = arguments.model,
                     .sampling = arguments.sampling,
                     .sides = {},
                     .context = context_of(arguments, asked, vocabularies),
                     .repetitions = arguments.repetitions,
                     .at_once = arguments.at_once,
                     .processors = allowed_processors()};
  const fs::path text = quality_text(arguments, model);
  const std::string quality_of =
      text.empty() ? "" : first_tokens(*model.tokenizer, text, arguments.text_tokens);

  watch_interrupts();
  pin_threads(arguments.model.threads);
  const TemporaryDirectory temporary;
  comparison.source = model.source;
  comparison.prompts = vocabularies.front().prompts;
  comparison.settings = settings_json(arguments.model, arguments.sampling);
  comparison.settings["context"] = setup.context;
  comparison.settings["repetitions"] = arguments.repetitions;
  comparison.settings["kv_cache"] = arguments.kv_cache;
  comparison.settings["forced"] = forced_json(arguments.prompts);
  comparison.settings["larosa"] = larosa_json(larosa, "", model.source.config);
  comparison.settings["patch"] = patch_json(vocabularies.back().model);
  for (const bool adapted : {false, true}) {
    const bool wanted =
        std::any_of(combinations.begin(), combinations.end(),
                    [adapted](const Combination& one) { return one.larosa && one.vocabulary == adapted; });
    if (wanted)
      find_rotations(temporary / (adapted ? "adapted" : "base"), *larosa, vocabularies[adapted ? 1 : 0]);
  }
  for (const Combination& combination : combinations) {
    const Vocabulary& vocabulary = vocabularies[combination.vocabulary ? 1 : 0];
    setup.sides.push_back({.model = &vocabulary.model,
                           .prompts = &vocabulary.prompts,
                           .patch_tokenizer = combination.vocabulary ? arguments.model.patch_tokenizer : "",
                           .larosa = combination.larosa ? larosa : std::nullopt,
                           .rotation_file = combination.larosa ? vocabulary.rotation_file : "",
                           .rotation_name = vocabulary.rotation_name,
                           .kv_cache = combination.kv_cache ? arguments.kv_cache : "static"});
    comparison.sides.push_back({.name = name_of(combination, arguments.kv_cache),
                                .description = describe(combination, arguments, vocabulary.model, larosa),
                                .parts = parts_of(combination, arguments.kv_cache),
                                .vocabulary = patch_hash(vocabulary.model)});
  }

  const auto save = [&](bool stopped) { file.write(comparison_json(comparison, stopped)); };
  std::optional<Error> trouble;
  try {
    for (const Vocabulary& vocabulary : vocabularies) read_into_page_cache(vocabulary.model.source);
    measure_generations(setup, comparison, [&] { save(true); });
    if (!text.empty()) measure_quality(setup, text.filename().string(), quality_of, comparison);
  } catch (const Error& error) {
    trouble = error;
  }
  // Whatever happened, what was measured is shown and kept.
  save(trouble.has_value());
  print(comparison_table(comparison));
  if (trouble) throw *trouble;
  for (const Side& side : comparison.sides) {
    if (side.check->check.status != CheckStatus::kPass)
      throw Error(ExitCode::kCheckFailed, fmt::format("{}: the logits are not those of the plain kernels: {}",
                                                      side.name, side.check->check.detail));
  }
  return ExitCode::kOk;
}

}  // namespace

void add_compare(CLI::App& program, ExitCode& exit_code) {
  CLI::App& command = *program.add_subcommand("compare",
                                              "Baseline against LaRoSA, a KV cache, AdaptiVocab and every "
                                              "combination of those asked for: time, tokens, "
                                              "memory and quality");
  const auto arguments = std::make_shared<Arguments>();
  add_model_options(command, arguments->model);
  add_larosa_options(command, arguments->larosa);
  add_prompts_option(command, arguments->prompts, "; default: five short questions");
  add_prompt_tokens_option(command, arguments->prompts);
  add_decode_text_options(command, arguments->prompts);
  add_sampling_options(command, arguments->sampling);
  add_kv_cache_option(
      command, arguments->kv_cache,
      " of the sides that have it switched on, the others' is static; then --context is all positions "
      "of the model unless given");
  command.add_option(
      "--only", arguments->only,
      "Only these combinations and the baseline: larosa, adaptivocab, the KV cache's name, joined by +; "
      "all; a list of these with commas");
  command
      .add_option(
          "--adapted-larosa-file", arguments->adapted_rotations,
          "Rotations of the model with the adapted vocabulary, as --larosa-file is of the model; default: "
          "calibrated")
      ->check(CLI::ExistingFile);
  command
      .add_option(
          "--at-once", arguments->at_once,
          "Sides that are loaded at a time, beside the baseline; default: as many as memory has room for, on "
          "CUDA one")
      ->check(CLI::PositiveNumber);
  command.add_option("--repetitions", arguments->repetitions, "Times that each side runs every prompt")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command.add_option("--text", arguments->text,
                     "Text that quality is judged by; default: of those that come with Trisect the general "
                     "one, with AdaptiVocab "
                     "the domain's, and none for synthetic models");
  command.add_option("--text-tokens", arguments->text_tokens, "Use no more than the text's first tokens")
      ->check(CLI::Range(2, 1000000000))
      ->capture_default_str();
  CLI::Option* out = command.add_option("--out", arguments->out, "Directory for compare.json");
  command.add_option("--json", arguments->json, "The same as a file of any name")->excludes(out);
  command.callback([arguments, &exit_code] { exit_code = compare(*arguments); });
}

}  // namespace trisect::runner
