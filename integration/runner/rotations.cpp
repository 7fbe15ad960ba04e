#include "integration/runner/rotations.hpp"

#include <chrono>
#include <cstdio>

#include "integration/phi2/model/content_hash.hpp"
#include "integration/runner/files.hpp"
#include "integration/runner/measured.hpp"
#include "integration/runner/terminal.hpp"
#include "kernels/core/error.hpp"

namespace trisect::runner {
namespace {

constexpr Seed kRandomRotations = 1;

}  // namespace

phi2::Rotations calibrate_on(const Model& model, const phi2::Weights& weights,
                             const std::filesystem::path& path, const CalibrationOptions& options) {
  if (!model.tokenizer) {
    environment_error("{} has no tokenizer.json to read {} with: add --tokenizer DIR", model.source.name,
                      path.filename().string());
  }
  const std::string text = read_text(path);
  std::vector<phi2::TokenId> ids = model.tokenizer->encode(text);
  ids.resize(std::min(ids.size(), static_cast<std::size_t>(options.max_tokens)));
  fmt::print(stderr, "calibrating rotations on {} tokens of {}\n", ids.size(), path.filename().string());
  phi2::Rotations rotations = phi2::calibrate(weights, ids, options.damping, show_progress());
  rotations.info.text_hash = phi2::hash_name(phi2::hash_text(text));
  return rotations;
}

ChosenRotations choose_rotations(const Model& model, const phi2::Weights& weights, const std::string& file) {
  if (!file.empty()) {
    return {phi2::load_rotations(file, weights.config, weights.hash, phi2::kLayernormSpace, Dtype::kF32),
            std::filesystem::path(file).filename().string()};
  }
  if (model.source.synthetic()) return {phi2::random_rotations(weights, kRandomRotations), "random"};
  const std::filesystem::path text = find_text("calibration.txt");
  const auto start = std::chrono::steady_clock::now();
  phi2::Rotations rotations = calibrate_on(model, weights, text);
  std::string origin =
      fmt::format("calibrated on {} ({} tokens)", text.filename().string(), rotations.info.text_tokens);
  return {std::move(rotations), std::move(origin), seconds_since(start)};
}

}  // namespace trisect::runner
