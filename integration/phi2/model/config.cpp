#include "integration/phi2/model/config.hpp"

#include "integration/phi2/model/json.hpp"
#include "kernels/core/error.hpp"

namespace trisect::phi2 {
namespace {

using nlohmann::json;

// Far above any phi, and low enough that the number of parameters cannot overflow.
constexpr std::uint64_t kMaxSize = 1 << 20;
constexpr std::uint64_t kMaxLayers = 1 << 12;

/// Typed access to the keys of one file. A null counts as absent, as it does in PhiConfig for every key read
/// here.
class Keys {
 public:
  Keys(const json& object, const std::filesystem::path& file) : object_(object), file_(file) {}

  const json* find(const char* key) const {
    const auto found = object_.find(key);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
  }
  bool has(const char* key) const { return object_.contains(key); }

  int size(const char* key, int absent, std::uint64_t max = kMaxSize) const {
    const json* value = find(key);
    if (value == nullptr) return absent;
    if (!value->is_number_integer()) fail(key, "is not a whole number");
    const bool fits = value->is_number_unsigned() && value->get<std::uint64_t>() - 1 < max;
    if (!fits) fail(key, fmt::format("must be between 1 and {}, not {}", max, value->dump()));
    return value->get<int>();
  }
  double number(const char* key, double absent) const {
    const json* value = find(key);
    if (value == nullptr) return absent;
    if (!value->is_number()) fail(key, "is not a number");
    return value->get<double>();
  }
  bool flag(const char* key) const {
    const json* value = find(key);
    if (value != nullptr && !value->is_boolean()) fail(key, "is neither true nor false");
    return value != nullptr && value->get<bool>();
  }
  std::string text(const char* key, const char* absent) const {
    const json* value = find(key);
    if (value == nullptr) return absent;
    if (!value->is_string()) fail(key, "is not a string");
    return value->get<std::string>();
  }
  /// A token id. An absent key means PhiConfig's default, null means none.
  std::optional<int> id(const char* key, int absent, int vocab) const {
    const json* value = find(key);
    if (value == nullptr) return has(key) || absent >= vocab ? std::nullopt : std::optional(absent);
    if (!value->is_number_unsigned() || value->get<std::uint64_t>() >= static_cast<std::uint64_t>(vocab)) {
      fail(key, fmt::format("must be one token id below vocab_size {}, or null", vocab));
    }
    return value->get<int>();
  }
  [[noreturn]] void fail(const char* key, const std::string& problem) const {
    environment_error("{}: {} {}", file_.string(), key, problem);
  }

 private:
  const json& object_;
  const std::filesystem::path& file_;
};

constexpr char kRunnable[] = "only 'phi' with PhiForCausalLM (phi-2, phi-1.5, phi-1) can be run";

void check_architecture(const Keys& keys) {
  const std::string type = keys.text("model_type", "");
  if (type == "phi-msft") {
    keys.fail(
        "model_type",
        "is 'phi-msft', the layout of the first releases; take the model's current revision, or convert this "
        "one with transformers' convert_phi_weights_to_hf.py");
  }
  if (type != "phi") keys.fail("model_type", fmt::format("is {}; {}", in_quotes(type), kRunnable));
  const json* names = keys.find("architectures");
  if (names != nullptr && *names != json::array({"PhiForCausalLM"})) {
    keys.fail("architectures", fmt::format("is {}; {}", in_quotes(names->dump()), kRunnable));
  }
}

void check_features(const Keys& keys, const Config& config) {
  const std::string activation = keys.text("hidden_act", "gelu_new");
  if (activation != "gelu_new") {
    keys.fail("hidden_act", fmt::format("is {}; only gelu_new is computed here", in_quotes(activation)));
  }
  if (keys.flag("qk_layernorm"))
    keys.fail("qk_layernorm", "is true; queries and keys are not normalised here");
  if (keys.flag("tie_word_embeddings")) {
    keys.fail("tie_word_embeddings", "is true; store lm_head.weight of its own and set it to false");
  }
  if (keys.find("rope_scaling") != nullptr)
    keys.fail("rope_scaling", "is set; only plain RoPE is computed here");
  if (keys.size("num_key_value_heads", config.heads) != config.heads) {
    keys.fail("num_key_value_heads",
              fmt::format("differs from num_attention_heads {}; grouped heads are not computed here",
                          config.heads));
  }
  if (keys.size("head_dim", config.head_dim) != config.head_dim) {
    keys.fail("head_dim", fmt::format("must be hidden_size / num_attention_heads = {}", config.head_dim));
  }
}

/// RoPE's keys: at the top, or since transformers 5 in an object of their own.
void read_rope(const Keys& top, const std::filesystem::path& file, Config& config) {
  const json* nested = top.find("rope_parameters");
  if (nested != nullptr && !nested->is_object()) top.fail("rope_parameters", "is not an object");
  const json none = json::object();
  const Keys inner(nested == nullptr ? none : *nested, file);
  if (const std::string type = inner.text("rope_type", "default"); type != "default") {
    inner.fail("rope_parameters.rope_type",
               fmt::format("is {}; only plain RoPE ('default') is computed here", in_quotes(type)));
  }
  const double theta = inner.number("rope_theta", top.number("rope_theta", 10000.0));
  if (!(theta > 0 && theta < 1e30)) top.fail("rope_theta", fmt::format("must be positive, not {}", theta));
  const double factor = inner.number("partial_rotary_factor", top.number("partial_rotary_factor", 0.5));
  if (!(factor > 0 && factor <= 1)) {
    top.fail("partial_rotary_factor", fmt::format("must be above 0 and at most 1, not {}", factor));
  }
  config.rope_theta = static_cast<float>(theta);
  config.rotary_dim = static_cast<int>(config.head_dim * factor);  // truncated, as transformers does
  if (config.rotary_dim == 0 || config.rotary_dim % 2 != 0) {
    top.fail("partial_rotary_factor",
             fmt::format("{} turns {} of {} entries of a head; it must be an even number above 0", factor,
                         config.rotary_dim, config.head_dim));
  }
}

Config make(int layers, int hidden, int heads, int intermediate, int vocab, int positions, int eos) {
  Config config;
  config.layers = layers;
  config.hidden = hidden;
  config.heads = heads;
  config.head_dim = hidden / heads;
  config.rotary_dim = 32;
  config.intermediate = intermediate;
  config.vocab = vocab;
  config.positions = positions;
  config.bos = config.eos = eos;
  return config;
}

}  // namespace

std::int64_t Config::parameters() const {
  const std::int64_t h = hidden, m = intermediate, v = vocab;
  const std::int64_t layer = 2 * h + 4 * (h * h + h) + (h * m + m) + (m * h + h);
  return v * h + layers * layer + 2 * h + (h * v + v);
}

std::string Config::geometry() const {
  return fmt::format(
      "phi layers {} hidden {} heads {} rotary {} intermediate {} vocab {} positions {} eps {} theta {}",
      layers, hidden, heads, rotary_dim, intermediate, vocab, positions, layer_norm_eps, rope_theta);
}

Config load_config(const std::filesystem::path& file) {
  const json object = load_json(file);
  if (!object.is_object()) environment_error("{}: not a JSON object", file.string());
  const Keys keys(object, file);
  check_architecture(keys);
  Config config;
  config.layers = keys.size("num_hidden_layers", 24, kMaxLayers);
  config.hidden = keys.size("hidden_size", 2048);
  config.heads = keys.size("num_attention_heads", 32);
  config.intermediate = keys.size("intermediate_size", 8192);
  config.vocab = keys.size("vocab_size", 51200);
  config.positions = keys.size("max_position_embeddings", 2048);
  if (config.hidden % config.heads != 0) {
    keys.fail("hidden_size",
              fmt::format("{} is not a multiple of num_attention_heads {}", config.hidden, config.heads));
  }
  config.head_dim = config.hidden / config.heads;
  const double eps = keys.number("layer_norm_eps", 1e-5);
  if (!(eps > 0 && eps < 1)) keys.fail("layer_norm_eps", fmt::format("must be between 0 and 1, not {}", eps));
  config.layer_norm_eps = static_cast<float>(eps);
  check_features(keys, config);
  read_rope(keys, file, config);
  config.bos = keys.id("bos_token_id", 1, config.vocab);
  config.eos = keys.id("eos_token_id", 2, config.vocab);
  return config;
}

std::optional<Config> known_config(std::string_view name) {
  if (name == "phi-2") return make(32, 2560, 32, 10240, 51200, 2048, 50256);
  if (name == "phi-1.5" || name == "phi-1") return make(24, 2048, 32, 8192, 51200, 2048, 50256);
  if (name == "phi-mini") return make(6, 320, 4, 1280, 4096, 512, 4016);
  return std::nullopt;
}

}  // namespace trisect::phi2
