#include "integration/runner/model.hpp"

#include "integration/phi2/tokenizer/bpe_tokenizer.hpp"
#include "integration/runner/measured.hpp"
#include "integration/runner/rotations.hpp"
#include "integration/runner/terminal.hpp"
#include "kernels/core/error.hpp"

namespace trisect::runner {
namespace {

namespace fs = std::filesystem;

constexpr char kTokenizerFile[] = "tokenizer.json";

std::unique_ptr<phi2::Tokenizer> own_tokenizer(const phi2::ModelSource& source) {
  std::error_code ignored;
  if (source.synthetic() || !fs::exists(source.directory / kTokenizerFile, ignored)) return nullptr;
  return phi2::BpeTokenizer::load(source.directory / kTokenizerFile);
}

}  // namespace

Model find_model(const ModelOptions& options) {
  const Device device = options.device == "cuda" ? Device::kCuda : Device::kCpu;
  if (device == Device::kCuda && !why_no_cuda().empty()) environment_error("--device cuda: {}", why_no_cuda());
  Model model{phi2::find_model(options.model), dtype_from_name(options.dtype), device, nullptr};
  model.tokenizer =
      options.tokenizer.empty() ? own_tokenizer(model.source) : load_tokenizer(options.tokenizer);
  if (model.vocabulary() > model.source.config.vocab) {
    environment_error("{}: the tokenizer has {} tokens, the model {}: it is of another model", options.model,
                      model.vocabulary(), model.source.config.vocab);
  }
  return model;
}

std::unique_ptr<phi2::Tokenizer> load_tokenizer(const std::string& directory) {
  std::error_code ignored;
  const fs::path file = fs::path(directory) / kTokenizerFile;
  if (!fs::exists(file, ignored)) environment_error("{}: no {} there", directory, kTokenizerFile);
  return phi2::BpeTokenizer::load(file);
}

LoadedEngine load_engine(const Model& model, const phi2::EngineOptions& options,
                         const std::string& rotation_file) {
  LoadedEngine loaded;
  const auto start = std::chrono::steady_clock::now();
  phi2::Weights weights = phi2::load_weights(model.source, model.dtype, stoppable_progress());
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
