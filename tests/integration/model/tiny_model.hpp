// A small model as Hugging Face stores it, with values that every floating type holds exactly.
#pragma once

#include <fmt/format.h>

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "integration/phi2/model/config.hpp"
#include "integration/phi2/model/safetensors.hpp"
#include "kernels/core/buffer.hpp"
#include "kernels/core/random.hpp"

namespace trisect::phi2 {

struct TinyModel {
  struct Tensor {
    std::vector<std::int64_t> shape;
    std::vector<float> values;
    float at(std::int64_t r, std::int64_t c) const {
      return values[static_cast<std::size_t>(r * shape[1] + c)];
    }
  };

  Config config;
  std::map<std::string, Tensor> tensors;

  explicit TinyModel(const Config& shape) : config(shape) {
    const std::int64_t h = config.hidden, m = config.intermediate, v = config.vocab;
    add("model.embed_tokens.weight", {v, h});
    for (int i = 0; i < config.layers; ++i) {
      const std::string prefix = "model.layers." + std::to_string(i) + ".";
      add(prefix + "input_layernorm.weight", {h});
      add(prefix + "input_layernorm.bias", {h});
      for (const char* name : {"q_proj", "k_proj", "v_proj", "dense"})
        linear(prefix + "self_attn." + name, h, h);
      linear(prefix + "mlp.fc1", m, h);
      linear(prefix + "mlp.fc2", h, m);
    }
    add("model.final_layernorm.weight", {h});
    add("model.final_layernorm.bias", {h});
    linear("lm_head", v, h);
  }

  void linear(const std::string& name, std::int64_t out, std::int64_t in) {
    add(name + ".weight", {out, in});
    add(name + ".bias", {out});
  }
  /// Multiples of 1/64 in [-1, 1).
  void add(const std::string& name, std::vector<std::int64_t> shape) {
    Tensor tensor{std::move(shape), {}};
    std::int64_t count = 1;
    for (const std::int64_t size : tensor.shape) count *= size;
    const Seed seed = derive(7, tensors.size());
    for (std::int64_t i = 0; i < count; ++i) {
      tensor.values.push_back(
          static_cast<float>(random_bits(seed, static_cast<std::uint64_t>(i)) % 128) / 64 - 1);
    }
    tensors[name] = std::move(tensor);
  }

  std::string config_json() const {
    return fmt::format(
        R"({{"model_type": "phi", "architectures": ["PhiForCausalLM"], "num_hidden_layers": {}, "hidden_size": {},
            "num_attention_heads": {}, "intermediate_size": {}, "vocab_size": {}, "max_position_embeddings": {},
            "partial_rotary_factor": {}, "bos_token_id": null, "eos_token_id": null}})",
        config.layers, config.hidden, config.heads, config.intermediate, config.vocab, config.positions,
        static_cast<double>(config.rotary_dim) / config.head_dim);
  }

  /// The tensors that `wanted` accepts, as one file.
  void write(
      const std::filesystem::path& file, Dtype dtype,
      const std::function<bool(const std::string&)>& wanted = [](const std::string&) { return true; }) const {
    std::vector<Buffer> buffers;
    std::vector<NamedTensor> named;
    for (const auto& [name, tensor] : tensors) {
      if (!wanted(name)) continue;
      buffers.emplace_back(dtype, 1, static_cast<std::int64_t>(tensor.values.size()));
      convert(tensor.values.data(), Dtype::kF32, buffers.back().data(), dtype, tensor.values.size());
      named.push_back({name, buffers.back().view(), tensor.shape});
    }
    write_safetensors(file, named, {{"format", "pt"}});
  }
};

inline Config tiny_config(int layers = 2, int hidden = 24, int heads = 2, int intermediate = 70,
                          int vocab = 67) {
  Config config;
  config.layers = layers;
  config.hidden = hidden;
  config.heads = heads;
  config.head_dim = hidden / heads;
  config.rotary_dim = config.head_dim / 2;
  config.intermediate = intermediate;
  config.vocab = vocab;
  config.positions = 32;
  return config;
}

}  // namespace trisect::phi2
