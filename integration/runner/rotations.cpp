#include "integration/runner/rotations.hpp"

#include <chrono>
#include <cstdio>

#include "integration/phi2/engine/random_rotations.hpp"
#include "integration/phi2/model/content_hash.hpp"
#include "integration/runner/files.hpp"
#include "integration/runner/measured.hpp"
#include "integration/runner/terminal.hpp"
#include "kernels/core/error.hpp"

namespace trisect::runner {
namespace {

constexpr Seed kRandomRotations = 1;
constexpr char kText[] = "calibration.txt";

}  // namespace

std::string_view space_of(phi2::LarosaMode mode) {
  return mode == phi2::LarosaMode::kMerged ? phi2::kCentredSpace : phi2::kLayernormSpace;
}

CalibrationText read_calibration_text(const Model& model, const std::filesystem::path& path) {
  const std::string name = path.filename().string();
  if (!model.tokenizer) {
    environment_error("{} has no tokenizer.json to read {} with: add --tokenizer DIR", model.source.name,
                      name);
  }
  const std::string text = read_text(path);
  return {name, phi2::hash_name(phi2::hash_text(text)), model.tokenizer->encode(text)};
}

phi2::Rotations calibrate_on(const CalibrationText& text, const phi2::Weights& weights,
                             const CalibrationOptions& options) {
  const auto ids =
      std::span(text.ids).first(std::min(text.ids.size(), static_cast<std::size_t>(options.max_tokens)));
  fmt::print(stderr, "calibrating {} rotations on {} tokens of {}\n", phi2::name_of(options.kind), ids.size(),
             text.name);
  const phi2::RotationInfo wanted{.kind = options.kind,
                                  .values = options.values,
                                  .model_hash = {},
                                  .text_hash = text.hash,
                                  .space = std::string(options.space),
                                  .damping = options.damping};
  return phi2::calibrate(weights, ids, wanted, show_progress(), options.state);
}

bool rotations_need_no_text(const Model& model, const phi2::LarosaOptions& larosa, const std::string& file) {
  return !file.empty() || model.source.synthetic() || larosa.rotation == phi2::RotationKind::kRandom ||
         larosa.rotation == phi2::RotationKind::kNone;
}

phi2::Rotations calibrate_by_default(const Model& model, const phi2::Weights& weights,
                                     const phi2::LarosaOptions& larosa) {
  return calibrate_on(
      read_calibration_text(model, find_text(kText)), weights,
      {.kind = larosa.rotation, .space = space_of(larosa.mode), .values = larosa.values, .state = {}});
}

std::string default_origin(const phi2::Rotations& rotations) {
  return fmt::format("calibrated on {} ({} tokens)", kText, rotations.info().text_tokens);
}

ChosenRotations choose_rotations(const Model& model, const phi2::Weights& weights,
                                 const phi2::LarosaOptions& larosa, const std::string& file) {
  const std::string_view space = space_of(larosa.mode);
  if (!file.empty()) {
    return {phi2::open_rotations(file, weights.config, weights.hash, space),
            std::filesystem::path(file).filename().string()};
  }
  if (rotations_need_no_text(model, larosa, file)) {
    const bool none = larosa.rotation == phi2::RotationKind::kNone;
    phi2::RotationInfo info{.kind = larosa.rotation,
                            .values = !none && larosa.values,
                            .model_hash = weights.hash,
                            .text_hash = {},
                            .space = std::string(space)};
    return {phi2::random_rotations(weights.config, std::move(info), kRandomRotations),
            none ? "none" : "random"};
  }
  const auto start = std::chrono::steady_clock::now();
  auto rotations = std::make_unique<phi2::Rotations>(calibrate_by_default(model, weights, larosa));
  std::string origin = default_origin(*rotations);
  return {std::move(rotations), std::move(origin), seconds_since(start)};
}

}  // namespace trisect::runner
