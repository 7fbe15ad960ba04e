#include "integration/phi2/model/config.hpp"

#include "tests/integration/model/scratch.hpp"

namespace trisect::phi2 {
namespace {

constexpr char kPhi2[] = R"({
  "architectures": ["PhiForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 50256, "embd_pdrop": 0.0,
  "eos_token_id": 50256, "hidden_act": "gelu_new", "hidden_size": 2560, "initializer_range": 0.02,
  "intermediate_size": 10240, "layer_norm_eps": 1e-05, "max_position_embeddings": 2048, "model_type": "phi",
  "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 32, "partial_rotary_factor": 0.4,
  "qk_layernorm": false, "resid_pdrop": 0.1, "rope_scaling": null, "rope_theta": 10000.0,
  "tie_word_embeddings": false, "torch_dtype": "float16", "transformers_version": "4.37.0", "use_cache": true,
  "vocab_size": 51200})";

class ConfigTest : public Scratch {
 protected:
  Config load(const std::string& text) { return load_config(write("config.json", text)); }

  /// A phi configuration with one more member must be refused in a line with the file, the key and the parts.
  void refuse(const std::string& key, const std::string& value,
              std::initializer_list<std::string> parts = {}) {
    SCOPED_TRACE(key + ": " + value);
    const std::string text = R"({"model_type": "phi", ")" + key + "\": " + value + "}";
    expect_error([&] { load(text); }, {"config.json", key});
    expect_error([&] { load(text); }, parts);
  }
};

TEST_F(ConfigTest, ReadsPhi2) {
  const Config config = load(kPhi2);
  EXPECT_EQ(config.layers, 32);
  EXPECT_EQ(config.hidden, 2560);
  EXPECT_EQ(config.heads, 32);
  EXPECT_EQ(config.head_dim, 80);
  EXPECT_EQ(config.rotary_dim, 32);
  EXPECT_EQ(config.intermediate, 10240);
  EXPECT_EQ(config.vocab, 51200);
  EXPECT_EQ(config.positions, 2048);
  EXPECT_EQ(config.layer_norm_eps, 1e-5f);
  EXPECT_EQ(config.rope_theta, 10000.0f);
  EXPECT_EQ(config.bos, 50256);
  EXPECT_EQ(config.eos, 50256);
  EXPECT_EQ(config.parameters(), 2'779'683'840);
  EXPECT_EQ(config.geometry(), known_config("phi-2")->geometry());
}

TEST_F(ConfigTest, AbsentKeysAreTransformersDefaultsWhichAreNotPhi2) {
  const Config config = load(R"({"model_type": "phi"})");
  EXPECT_EQ(config.layers, 24);
  EXPECT_EQ(config.hidden, 2048);
  EXPECT_EQ(config.head_dim, 64);
  EXPECT_EQ(config.rotary_dim, 32);
  EXPECT_EQ(config.intermediate, 8192);
  EXPECT_EQ(config.bos, 1);
  EXPECT_EQ(config.eos, 2);
  EXPECT_EQ(config.geometry(), known_config("phi-1.5")->geometry());
  EXPECT_EQ(config.parameters(), 1'418'270'720);
}

TEST_F(ConfigTest, NullTokenIdsAreNone) {
  const Config config = load(R"({"model_type": "phi", "bos_token_id": null, "eos_token_id": null})");
  EXPECT_FALSE(config.bos);
  EXPECT_FALSE(config.eos);
}

TEST_F(ConfigTest, ReadsTheRopeObjectOfTransformers5) {
  const Config config = load(R"({"model_type": "phi", "hidden_size": 320, "num_attention_heads": 4,
      "rope_parameters": {"partial_rotary_factor": 0.4, "rope_theta": 5000, "rope_type": "default"}})");
  EXPECT_EQ(config.rotary_dim, 32);
  EXPECT_EQ(config.rope_theta, 5000.0f);
  refuse("rope_parameters", R"({"rope_type": "yarn"})", {"rope_type", "yarn"});
  refuse("rope_parameters", "[]");
}

TEST_F(ConfigTest, RefusesOtherArchitectures) {
  expect_error([&] { load(R"({"model_type": "llama"})"); },
               {"config.json: model_type is \"llama\"", "phi-2"});
  expect_error([&] { load(R"({"model_type": "phi-msft"})"); }, {"phi-msft", "convert_phi_weights_to_hf.py"});
  expect_error([&] { load(R"({"hidden_size": 2560})"); }, {"model_type"});
  expect_error([&] { load(R"({"model_type": 3})"); }, {"model_type is not a string"});
  refuse("architectures", R"(["PhiForSequenceClassification"])", {"PhiForSequenceClassification"});
  refuse("architectures", R"("PhiForCausalLM")");
}

TEST_F(ConfigTest, RefusesWhatIsNotComputedHere) {
  refuse("hidden_act", R"("gelu")", {"gelu_new"});
  refuse("qk_layernorm", "true");
  refuse("qk_layernorm", "1");
  refuse("tie_word_embeddings", "true", {"lm_head.weight"});
  refuse("rope_scaling", R"({"type": "linear", "factor": 2.0})");
  refuse("num_key_value_heads", "8", {"num_attention_heads 32"});
  refuse("head_dim", "96", {"64"});
}

TEST_F(ConfigTest, RefusesImpossibleNumbers) {
  for (const char* key : {"num_hidden_layers", "hidden_size", "num_attention_heads", "intermediate_size",
                          "vocab_size", "max_position_embeddings"}) {
    for (const char* value : {"0", "-1", "99999999999999999999", "1e3", "\"8\"", "2.5", "[1]", "1048577"}) {
      refuse(key, value);
    }
  }
  refuse("num_hidden_layers", "4097");
  refuse("hidden_size", "2050", {"num_attention_heads 32"});
  for (const char* value : {"0", "-0.5", "1.5", "0.01", "0.4", "\"half\""})
    refuse("partial_rotary_factor", value);
  for (const char* value : {"0", "-1", "1e300", "true"}) refuse("rope_theta", value);
  for (const char* value : {"0", "-1e-5", "1", "{}"}) refuse("layer_norm_eps", value);
  for (const char* value : {"51200", "-1", "1.0", "[0, 1]"}) refuse("eos_token_id", value);
}

TEST_F(ConfigTest, RefusesBrokenFiles) {
  for (const char* text : {"{", "[]", "3", "nonsense", "{\"model_type\": \"phi\"} x", "{\"a\": \"\xff\"}"}) {
    SCOPED_TRACE(text);
    expect_error([&] { load(text); }, {"config.json"});
  }
  expect_error([&] { load(R"({"model_type": "phi", "vocab_size": 5, "vocab_size": 6})"); },
               {"vocab_size", "twice"});
  expect_error([&] { load(std::string("{\"model_type\": \"phi\"}\0", 22)); }, {"NUL"});
  expect_error([&] { load(std::string(100, '[')); }, {"nested"});
  expect_error([&] { load(R"({"model_type": "phi", "x": 1e999})"); }, {"config.json"});
  expect_error([&] { load(""); }, {"config.json", "empty"});
  expect_error([&] { load_config(path("absent.json")); }, {"absent.json", "No such file"});
  expect_error([&] { load_config(directory_); }, {"not a regular file"});
}

TEST(Config, KnowsThePublishedShapes) {
  EXPECT_EQ(known_config("phi-mini")->parameters(),
            6 * (2 * 320 + 4 * (320 * 320 + 320) + 2 * 320 * 1280 + 1600) + 2 * 4096 * 320 + 4096 + 640);
  EXPECT_FALSE(known_config("phi-3"));
}

}  // namespace
}  // namespace trisect::phi2
