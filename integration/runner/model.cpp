#include "integration/runner/model.hpp"

#include "integration/phi2/model/patch_weights.hpp"
#include "integration/phi2/tokenizer/bpe_tokenizer.hpp"
#include "integration/phi2/tokenizer/patch_tokenizer.hpp"
#include "integration/phi2/tokenizer/tokenizer_file.hpp"
#include "integration/runner/measured.hpp"
#include "integration/runner/rotations.hpp"
#include "integration/runner/terminal.hpp"
#include "kernels/core/error.hpp"

namespace trisect::runner {
namespace {

namespace fs = std::filesystem;

constexpr char kTokenizerFile[] = "tokenizer.json";

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

/// The adapted model that --patch-tokenizer names in place of a file.
std::optional<phi2::ModelSource> adapted_model(const std::string& patch) {
  std::error_code ignored;
  const bool directory = fs::is_directory(patch, ignored);
  if (patch.empty() || (!directory && (is_there(patch) || fs::path(patch).has_extension())))
    return std::nullopt;
  phi2::ModelSource source = phi2::find_model(patch);
  if (source.synthetic() || !is_there(source.directory / phi2::kPatchFile)) {
    usage_error("--patch-tokenizer {}: that model has no {}: its vocabulary is not adapted", patch,
                phi2::kPatchFile);
  }
  return source;
}

fs::path patch_file_of(const std::string& patch) {
  const auto adapted = adapted_model(patch);
  return adapted ? adapted->directory / phi2::kPatchFile : fs::path(patch);
}

fs::path tokenizer_directory(const ModelOptions& options, const phi2::ModelSource& source) {
  return options.tokenizer.empty() ? source.directory : fs::path(options.tokenizer);
}

/// The model's own weights and tokenizer are replaced by those that were made of them.
void choose_adapted(const ModelOptions& options, phi2::ModelSource adapted, Model& model) {
  const fs::path base = tokenizer_directory(options, model.source);
  const fs::path patch_file = adapted.directory / phi2::kPatchFile;
  const phi2::PatchVocabulary patch = phi2::read_patch_file(patch_file);
  if (base.empty() || !is_there(base / kTokenizerFile) ||
      base_tokenizer_hash(base.string()) != patch.base_hash) {
    usage_error("--patch-tokenizer {}: it was not made of a model with the tokenizer of {}",
                options.patch_tokenizer, options.model);
  }
  model.source = std::move(adapted);
  model.tokenizer = load_tokenizer(model.source.directory.string());
}

/// The file's vocabulary, for the weights that the model has.
void choose_patch(const ModelOptions& options, Model& model) {
  const fs::path own = model.source.directory / phi2::kPatchFile;
  if (!model.source.synthetic() && is_there(own)) {
    if (phi2::hash_of(phi2::read_patch_file(own)) !=
        phi2::hash_of(phi2::read_patch_file(patch_file_of(options.patch_tokenizer)))) {
      usage_error("--patch-tokenizer {}: {} is adapted already, with its own {}", options.patch_tokenizer,
                  options.model, phi2::kPatchFile);
    }
    return;
  }
  if (auto adapted = adapted_model(options.patch_tokenizer)) {
    return choose_adapted(options, std::move(*adapted), model);
  }
  const fs::path directory = tokenizer_directory(options, model.source);
  if (directory.empty() || !is_there(directory / kTokenizerFile)) {
    usage_error("--patch-tokenizer: {} has no tokenizer.json to patch: add --tokenizer DIR", options.model);
  }
  model.patch.emplace();
  model.tokenizer =
      phi2::load_patch_tokenizer(directory / kTokenizerFile, options.patch_tokenizer, &*model.patch);
}

}  // namespace

Model find_model(const ModelOptions& options) {
  const Device device = options.device == "cuda" ? Device::kCuda : Device::kCpu;
  if (device == Device::kCuda && !why_no_cuda().empty())
    environment_error("--device cuda: {}", why_no_cuda());
  Model model{.source = phi2::find_model(options.model),
              .dtype = dtype_from_name(options.dtype),
              .device = device,
              .cuda_graphs = options.cuda_graph == "on",
              .tokenizer = nullptr};
  if (!tokenizer_directory(options, model.source).empty() &&
      (!options.tokenizer.empty() || is_there(model.source.directory / kTokenizerFile))) {
    model.tokenizer = load_tokenizer(tokenizer_directory(options, model.source).string());
  }
  if (!options.patch_tokenizer.empty()) choose_patch(options, model);
  const fs::path own = model.source.directory / phi2::kPatchFile;
  if (!model.patch && !model.source.synthetic() && is_there(own)) {
    model.patch = phi2::read_patch_file(own);
    model.adapted = true;
  }
  const int needed = model.patch && !model.adapted ? model.patch->base_tokens : model.vocabulary();
  if (needed > model.source.config.vocab) {
    environment_error("{}: the tokenizer has {} tokens, the model {}: it is of another model", options.model,
                      needed, model.source.config.vocab);
  }
  return model;
}

std::unique_ptr<phi2::Tokenizer> load_tokenizer(const std::string& directory, const std::string& patch) {
  const fs::path file = fs::path(directory) / kTokenizerFile, own = fs::path(directory) / phi2::kPatchFile;
  if (!is_there(file)) environment_error("{}: no {} there", directory, kTokenizerFile);
  if (patch.empty() && !is_there(own)) return phi2::BpeTokenizer::load(file);
  return phi2::load_patch_tokenizer(file, patch.empty() ? own : patch_file_of(patch));
}

std::string base_tokenizer_hash(const std::string& directory) {
  return phi2::tokenizer_hash(phi2::read_tokenizer_file(fs::path(directory) / kTokenizerFile));
}

phi2::Weights load_weights(const Model& model) {
  const bool patch = model.patch && !model.adapted;
  phi2::Weights weights =
      phi2::load_weights(model.source, model.dtype, stoppable_progress(), patch ? model.patch->size() : 0);
  return patch ? phi2::patch(std::move(weights), *model.patch) : std::move(weights);
}

LoadedEngine load_engine(const Model& model, const phi2::EngineOptions& options,
                         const std::string& rotation_file) {
  LoadedEngine loaded;
  const auto start = std::chrono::steady_clock::now();
  phi2::Weights weights = load_weights(model);
  ChosenRotations chosen;
  if (options.larosa) chosen = choose_rotations(model, weights, *options.larosa, rotation_file);
  phi2::EngineOptions placed = options;
  placed.device = model.device;
  placed.cuda_graphs = model.cuda_graphs;
  loaded.engine = std::make_unique<phi2::Engine>(std::move(weights), placed, chosen.rotations.get(),
                                                 stoppable_progress());
  loaded.load_s = seconds_since(start) - chosen.calibrate_s;
  loaded.rotation = chosen.origin;
  return loaded;
}

}  // namespace trisect::runner
