// phi2 compare: baseline and optimised on the same prompts, and what the difference is.
#include <stdlib.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "integration/phi2/model/mapped_file.hpp"
#include "integration/runner/commands.hpp"
#include "integration/runner/files.hpp"
#include "integration/runner/rotations.hpp"
#include "integration/runner/side_by_side.hpp"
#include "integration/runner/terminal.hpp"
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
  int repetitions = 9;
  std::string text;
  int text_tokens = 4096;
  std::string out, json;
};

class TemporaryDirectory {
 public:
  TemporaryDirectory() : path_((fs::temp_directory_path() / "trisect-XXXXXX").string()) {
    if (mkdtemp(path_.data()) == nullptr)
      environment_error("cannot make {}: {}", path_, std::strerror(errno));
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  fs::path operator/(const char* name) const { return fs::path(path_) / name; }

 private:
  std::string path_;
};

cpu_set_t allowed_processors() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) {
    environment_error("cannot read which processors may be used: {}", std::strerror(errno));
  }
  return set;
}

/// The first side to load would otherwise wait for the disk, and the second not.
void read_into_page_cache(const phi2::ModelSource& source) {
  if (source.synthetic()) return;
  for (const fs::directory_entry& entry : fs::directory_iterator(source.directory)) {
    if (entry.path().extension() != ".safetensors") continue;
    const phi2::MappedFile file(entry.path());
    // When it fails, loading will say why.
    static_cast<void>(file.populate(0, file.bytes().size()));
  }
}

/// Calibrates here and hands the result on in a file, so that no side's memory knows of it. Returns what the
/// rotations are called.
std::string calibrate_into(const fs::path& file, const Model& model, const phi2::LarosaOptions& larosa) {
  const phi2::Weights weights = load_weights(model);
  const phi2::Rotations rotations = calibrate_by_default(model, weights, larosa);
  phi2::save_rotations(file, rotations);
  return default_origin(rotations);
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
  return model.source.synthetic() || !model.tokenizer ? "" : find_text("general.txt");
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

std::string describe_optimized(const Arguments& arguments, const Model& model,
                               const std::optional<phi2::LarosaOptions>& larosa) {
  std::vector<std::string> parts;
  if (model.patch) {
    parts.push_back(fmt::format("AdaptiVocab, {} tokens added, {} removed, rows {}",
                                model.patch->added.size(), model.patch->removed.size(),
                                phi2::name_of(model.patch->init)));
  }
  if (larosa) {
    parts.push_back(fmt::format("LaRoSA {}, rotation {}, sparsity {:.3f} ({:.3f} of the layers' weights)",
                                name_of(larosa->mode), phi2::name_of(larosa->rotation),
                                larosa->sparsity_permille / 1000.0,
                                phi2::weight_sparsity(model.source.config, *larosa)));
  }
  if (arguments.kv_cache != "static") parts.push_back(fmt::format("KV cache {}", arguments.kv_cache));
  return fmt::format("{}", fmt::join(parts, "; "));
}

ExitCode compare(Arguments arguments) {
  Comparison comparison;
  comparison.started_utc = utc_now();
  const std::optional<phi2::LarosaOptions> larosa = parse_larosa(arguments.larosa);
  const std::string& patch_file = arguments.model.patch_tokenizer;
  if (!larosa && patch_file.empty()) {
    usage_error("compare needs something to compare with: add --larosa-sparsity or --patch-tokenizer");
  }
  dense::validate(arguments.sampling.params);
  refuse_spinning_teams();
  const ResultFile file(result_path(arguments));
  ModelOptions unpatched = arguments.model;
  unpatched.patch_tokenizer.clear();
  const Model model = find_model(unpatched), optimized = find_model(arguments.model);
  if (arguments.prompts.file.empty() && arguments.prompts.random_tokens == 0 && model.tokenizer) {
    arguments.prompts.file = find_questions();
  }
  comparison.source = model.source;
  comparison.same_vocabulary = !optimized.patch;
  comparison.prompts = read_prompts(arguments.prompts, model, arguments.sampling.params.seed);
  comparison.optimized_prompts = read_prompts(arguments.prompts, optimized, arguments.sampling.params.seed);
  if (optimized.patch && arguments.prompts.random_tokens > 0) {
    usage_error(
        "--prompt-tokens: random ids are no text that two vocabularies could share: add --prompts FILE");
  }
  const auto context = [&](const std::vector<Prompt>& prompts) {
    return context_for(prompts, arguments.sampling, model.source.config);
  };
  SideBySide setup{.model = model,
                   .optimized = optimized,
                   .options = arguments.model,
                   .sampling = arguments.sampling,
                   .larosa = larosa,
                   .rotation_file = arguments.larosa.file,
                   .kv_cache = arguments.kv_cache,
                   .context = std::max(context(comparison.prompts), context(comparison.optimized_prompts)),
                   .repetitions = arguments.repetitions,
                   .processors = allowed_processors()};
  const fs::path text = quality_text(arguments, model);
  const std::string quality_of =
      text.empty() ? "" : first_tokens(*model.tokenizer, text, arguments.text_tokens);

  watch_interrupts();
  pin_threads(arguments.model.threads);
  const TemporaryDirectory temporary;
  const auto save = [&](bool stopped) { file.write(comparison_json(comparison, stopped)); };
  std::optional<Error> trouble;
  try {
    std::string rotation = fs::path(arguments.larosa.file).filename().string();
    if (larosa && !rotations_need_no_text(optimized, *larosa, arguments.larosa.file)) {
      setup.rotation_file = temporary / "rotations.safetensors";
      rotation = calibrate_into(setup.rotation_file, optimized, *larosa);
    } else if (larosa && rotation.empty()) {
      rotation = larosa->rotation == phi2::RotationKind::kNone ? "none" : "random";
    }
    comparison.settings = settings_json(arguments.model, arguments.sampling);
    comparison.settings["repetitions"] = arguments.repetitions;
    comparison.settings["kv_cache"] = arguments.kv_cache;
    comparison.settings["larosa"] = larosa_json(larosa, rotation, model.source.config);
    comparison.settings["patch"] = patch_json(optimized);
    comparison.baseline.description = "every weight is read";
    comparison.optimized.description = describe_optimized(arguments, optimized, larosa);
    read_into_page_cache(model.source);
    measure_generations(setup, comparison, [&] { save(true); });
    if (!text.empty()) measure_quality(setup, text.filename().string(), quality_of, comparison);
  } catch (const Error& error) {
    trouble = error;
  }
  // Whatever happened, what was measured is shown and kept.
  if (!comparison.settings.is_null()) save(trouble.has_value());
  print(comparison_table(comparison));
  if (trouble) throw *trouble;
  return ExitCode::kOk;
}

}  // namespace

void add_compare(CLI::App& program, ExitCode& exit_code) {
  CLI::App& command = *program.add_subcommand(
      "compare", "Baseline against LaRoSA, AdaptiVocab or both: time, tokens, memory and quality");
  const auto arguments = std::make_shared<Arguments>();
  add_model_options(command, arguments->model);
  add_larosa_options(command, arguments->larosa);
  add_prompts_option(command, arguments->prompts, "; default: five short questions");
  add_prompt_tokens_option(command, arguments->prompts);
  add_sampling_options(command, arguments->sampling);
  add_kv_cache_option(command, arguments->kv_cache, " of the optimised side; the baseline's is static");
  command.add_option("--repetitions", arguments->repetitions, "Times that each side runs every prompt")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command.add_option(
      "--text", arguments->text,
      "Text that quality is judged by; default: the general one that comes with Trisect, and none for "
      "synthetic models");
  command.add_option("--text-tokens", arguments->text_tokens, "Use no more than the text's first tokens")
      ->check(CLI::Range(2, 1000000000))
      ->capture_default_str();
  CLI::Option* out = command.add_option("--out", arguments->out, "Directory for compare.json");
  command.add_option("--json", arguments->json, "The same as a file of any name")->excludes(out);
  command.callback([arguments, &exit_code] { exit_code = compare(*arguments); });
}

}  // namespace trisect::runner
