// Small phi models with what transformers computes for them: see scripts/tools/make_phi_fixtures.py.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "integration/phi2/engine/engine.hpp"
#include "integration/phi2/engine/sequence.hpp"
#include "integration/phi2/model/safetensors.hpp"

namespace trisect::phi2 {

inline const std::vector<std::string> kFixtures = {"head80_bf16", "head32_f32", "sharded_f16", "config_v5_bf16"};

inline std::filesystem::path fixture_path(const std::string& name) {
  return std::filesystem::path(TRISECT_SOURCE_DIR) / "tests/fixtures/phi" / name;
}

inline Weights load_fixture(const std::string& name, Dtype dtype) {
  return load_weights(find_model(fixture_path(name).string()), dtype);
}

struct ExpectedPrompt {
  std::vector<std::int32_t> ids, greedy;
  View prefill, decode;  ///< logits [ids][vocab] and, after each of `greedy`, [16][vocab]
};

class Expected {
 public:
  explicit Expected(const std::string& name) : file_(fixture_path(name) / "expected.safetensors") {
    const auto json = nlohmann::json::parse(std::ifstream(fixture_path(name) / "expected.json"));
    for (const auto& prompt : json.at("prompts")) {
      const std::string prefix = "prompt_" + std::to_string(prompts_.size()) + ".";
      prompts_.push_back({prompt.at("ids"), prompt.at("greedy"), view(prefix + "prefill"), view(prefix + "decode")});
    }
  }
  const std::vector<ExpectedPrompt>& prompts() const { return prompts_; }

 private:
  View view(const std::string& name) {
    const StoredTensor* tensor = file_.find(name);
    if (tensor == nullptr) throw std::runtime_error("fixture has no " + name);
    Buffer& copy = copies_.emplace_back(Dtype::kF32, tensor->shape.at(0), tensor->shape.at(1));
    std::copy_n(file_.data(*tensor), tensor->bytes, copy.data());
    return copy.view();
  }

  SafetensorsFile file_;
  std::vector<Buffer> copies_;
  std::vector<ExpectedPrompt> prompts_;
};

/// Relative L2 distance.
inline double distance(const View& got, const View& want) { return check_close(got, want, 1).error; }

/// The logits of every position, prefilled in steps of at most `block` tokens.
inline Buffer prefill(Engine& engine, Sequence& sequence, std::span<const std::int32_t> ids, std::size_t block) {
  Buffer logits(Dtype::kF32, static_cast<std::int64_t>(ids.size()), engine.config().vocab);
  for (std::size_t at = 0; at < ids.size(); at += block) {
    const auto part = ids.subspan(at, std::min(block, ids.size() - at));
    sequence.step(part, logits.view().rows_from(static_cast<std::int64_t>(at), static_cast<std::int64_t>(part.size())));
  }
  return logits;
}

}  // namespace trisect::phi2
