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

/// Null where there is none.
std::unique_ptr<phi2::Tokenizer> base_tokenizer(const ModelOptions& options,
                                                const phi2::ModelSource& source) {
  if (!options.tokenizer.empty()) return load_tokenizer(options.tokenizer);
  if (source.synthetic() || !is_there(source.directory / kTokenizerFile)) return nullptr;
  return load_tokenizer(source.directory.string());
}

void choose_patch(const ModelOptions& options, Model& model) {
  const fs::path own = model.source.directory / phi2::kPatchFile;
  if (!model.source.synthetic() && is_there(own)) {
    if (phi2::hash_of(phi2::read_patch_file(own)) !=
        phi2::hash_of(phi2::read_patch_file(options.patch_tokenizer))) {
      usage_error("--patch-tokenizer {}: {} is adapted already, with its own {}", options.patch_tokenizer,
                  options.model, phi2::kPatchFile);
    }
    return;
  }
  const fs::path directory = options.tokenizer.empty() ? model.source.directory : fs::path(options.tokenizer);
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
  if (device == Device::kCuda && !why_no_cuda().empty()) environment_error("--device cuda: {}", why_no_cuda());
  Model model{phi2::find_model(options.model), dtype_from_name(options.dtype), device, nullptr};
  model.tokenizer = base_tokenizer(options, model.source);
  if (!options.patch_tokenizer.empty()) choose_patch(options, model);
  const int needed = model.patch ? model.patch->base_tokens : model.vocabulary();
  if (needed > model.source.config.vocab) {
    environment_error("{}: the tokenizer has {} tokens, the model {}: it is of another model", options.model,
                      needed, model.source.config.vocab);
  }
  return model;
}

std::unique_ptr<phi2::Tokenizer> load_tokenizer(const std::string& directory, const std::string& patch_file) {
  const fs::path file = fs::path(directory) / kTokenizerFile, own = fs::path(directory) / phi2::kPatchFile;
  if (!is_there(file)) environment_error("{}: no {} there", directory, kTokenizerFile);
  if (patch_file.empty() && !is_there(own)) return phi2::BpeTokenizer::load(file);
  return phi2::load_patch_tokenizer(file, patch_file.empty() ? own : fs::path(patch_file));
}

std::string base_tokenizer_hash(const std::string& directory) {
  return phi2::tokenizer_hash(phi2::read_tokenizer_file(fs::path(directory) / kTokenizerFile));
}

phi2::Weights load_weights(const Model& model) {
  phi2::Weights weights = phi2::load_weights(model.source, model.dtype, stoppable_progress(),
                                             model.patch ? model.patch->size() : 0);
  return model.patch ? phi2::patch(std::move(weights), *model.patch) : std::move(weights);
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
  loaded.engine = std::make_unique<phi2::Engine>(std::move(weights), placed, chosen.rotations.get(),
                                                 stoppable_progress());
  loaded.load_s = seconds_since(start) - chosen.calibrate_s;
  loaded.rotation = chosen.origin;
  return loaded;
}

}  // namespace trisect::runner
