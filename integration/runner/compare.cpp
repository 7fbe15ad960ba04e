// phi2 compare: baseline and optimised on the same prompts, and what the difference is.
#include <stdlib.h>

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
  const phi2::Weights weights = phi2::load_weights(model.source, model.dtype, stoppable_progress());
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

ExitCode compare(Arguments arguments) {
  Comparison comparison;
  comparison.started_utc = utc_now();
  const phi2::LarosaOptions larosa = *parse_larosa(arguments.larosa);
  dense::validate(arguments.sampling.params);
  refuse_spinning_teams();
  const ResultFile file(result_path(arguments));
  const Model model = find_model(arguments.model);
  if (arguments.prompts.file.empty() && arguments.prompts.random_tokens == 0 && model.tokenizer) {
    arguments.prompts.file = find_questions();
  }
  comparison.source = model.source;
  comparison.prompts = read_prompts(arguments.prompts, model, arguments.sampling.params.seed);
  SideBySide setup{.model = model,
                   .options = arguments.model,
                   .sampling = arguments.sampling,
                   .larosa = larosa,
                   .rotation_file = arguments.larosa.file,
                   .kv_cache = arguments.kv_cache,
                   .context = context_for(comparison.prompts, arguments.sampling, model.source.config),
                   .repetitions = arguments.repetitions,
                   .processors = allowed_processors()};
  const fs::path text = quality_text(arguments, model);
  std::vector<phi2::TokenId> text_ids;
  if (!text.empty()) text_ids = model.tokenizer->encode(read_text(text));
  text_ids.resize(std::min(text_ids.size(), static_cast<std::size_t>(arguments.text_tokens)));

  watch_interrupts();
  pin_threads(arguments.model.threads);
  const TemporaryDirectory temporary;
  const auto save = [&](bool stopped) { file.write(comparison_json(comparison, stopped)); };
  std::optional<Error> trouble;
  try {
    std::string rotation = fs::path(arguments.larosa.file).filename().string();
    if (!rotations_need_no_text(model, larosa, arguments.larosa.file)) {
      setup.rotation_file = temporary / "rotations.safetensors";
      rotation = calibrate_into(setup.rotation_file, model, larosa);
    } else if (rotation.empty()) {
      rotation = larosa.rotation == phi2::RotationKind::kNone ? "none" : "random";
    }
    comparison.settings = settings_json(arguments.model, arguments.sampling);
    comparison.settings["repetitions"] = arguments.repetitions;
    comparison.settings["kv_cache"] = arguments.kv_cache;
    comparison.settings["larosa"] = larosa_json(larosa, rotation, model.source.config);
    comparison.baseline.description = "every weight is read";
    comparison.optimized.description =
        fmt::format("LaRoSA {}, rotation {}, sparsity {:.3f} ({:.3f} of the layers' weights)",
                    name_of(larosa.mode), phi2::name_of(larosa.rotation), larosa.sparsity_permille / 1000.0,
                    phi2::weight_sparsity(model.source.config, larosa));
    if (arguments.kv_cache != "static")
      comparison.optimized.description += fmt::format("; KV cache {}", arguments.kv_cache);
    read_into_page_cache(model.source);
    measure_generations(setup, comparison, [&] { save(true); });
    if (!text.empty()) measure_quality(setup, text.filename().string(), text_ids, comparison);
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
  CLI::App& command =
      *program.add_subcommand("compare", "Baseline against LaRoSA: time, tokens, memory and quality");
  const auto arguments = std::make_shared<Arguments>();
  add_model_options(command, arguments->model);
  add_larosa_options(command, arguments->larosa)->required();
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
