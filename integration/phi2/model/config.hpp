// The shape of a phi model: phi-2, phi-1.5, phi-1 and what else transformers' PhiForCausalLM describes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace trisect::phi2 {

struct Config {
  int layers = 0;
  int hidden = 0;
  int heads = 0;
  int head_dim = 0;      ///< hidden / heads
  int rotary_dim = 0;    ///< the first entries of a head that RoPE turns; even
  int intermediate = 0;  ///< width of the MLP
  int vocab = 0;         ///< rows of the embedding, unused padding rows included
  int positions = 0;     ///< longest sequence, in tokens
  float layer_norm_eps = 1e-5f;
  float rope_theta = 10000.0f;
  std::optional<int> bos, eos;  ///< token ids

  /// Number of weights and biases: 2,779,683,840 for phi-2.
  std::int64_t parameters() const;

  /// One line with everything that changes what given weights compute; part of a model's hash.
  std::string geometry() const;
};

/// Reads config.json as transformers does (its PhiConfig defaults stand in for absent keys, and they are not
/// phi-2's). Throws Error(kEnvironment) with file, key and remedy for another architecture, a feature that is
/// not computed here (other activations, qk_layernorm, scaled RoPE, grouped heads, tied embeddings) and
/// impossible numbers.
Config load_config(const std::filesystem::path& file);

/// The published shape of "phi-2", "phi-1.5", "phi-1" or "phi-mini"; nothing for other names.
std::optional<Config> known_config(std::string_view name);

}  // namespace trisect::phi2
