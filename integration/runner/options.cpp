#include "integration/runner/options.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <vector>

#include "kernels/core/error.hpp"

namespace trisect::runner {
namespace {

const std::vector<std::string> kModes = {"naive", "online", "merged"};  // in the order of LarosaMode

/// A number between -1000 and 1000 of at most three decimals, in thousandths; `text` is the whole argument.
int parse_permille(const char* option, std::string_view text, std::string_view number, const char* example) {
  constexpr double kMost = 1000;
  double value = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  if (error != std::errc() || end != number.data() + number.size() || number.empty()) {
    usage_error("{} '{}' is not a number such as {}", option, text, example);
  }
  if (!(std::abs(value) <= kMost)) usage_error("{} {} is not within [0, 1)", option, text);
  const double permille = value * 1000;
  if (std::abs(permille - std::round(permille)) > 1e-9)
    usage_error("{} {} has more than three decimals", option, text);
  return static_cast<int>(std::lround(permille));
}

}  // namespace

void add_model_options(CLI::App& command, ModelOptions& options) {
  command
      .add_option(
          "--model", options.model,
          "A directory in Hugging Face layout, phi-mini, synthetic:phi-2 (random weights of that shape; also "
          "phi-1.5, phi-1, phi-mini; synthetic:phi-2:4 for its first four layers), or OWNER/NAME from the "
          "Hugging Face cache")
      ->capture_default_str();
  command.add_option(
      "--tokenizer", options.tokenizer,
      "Directory with tokenizer.json; without one, models that have none take and give token ids");
  add_patch_tokenizer_option(command, options.patch_tokenizer);
  command.add_option("--dtype", options.dtype, "Type of weights and KV cache: bf16, f16 or f32")
      ->check(CLI::IsMember({"bf16", "f16", "f32"}))
      ->capture_default_str();
  command.add_option("--device", options.device, "cpu or cuda")
      ->check(CLI::IsMember({"cpu", "cuda"}))
      ->capture_default_str();
  command
      .add_option("--cuda-graph", options.cuda_graph,
                  "on: with --device cuda, a decode step is recorded once and replayed; off: every kernel is "
                  "launched")
      ->check(CLI::IsMember({"on", "off"}))
      ->capture_default_str();
  command
      .add_option("--threads", options.threads,
                  "Threads, each pinned to a processor; default: OMP_NUM_THREADS, or all processors")
      ->check(CLI::PositiveNumber);
}

void add_patch_tokenizer_option(CLI::App& command, std::string& file) {
  command.add_option(
      "--patch-tokenizer", file,
      "patch_tokenizer.json from phi2 adapt: n-grams of tokens become tokens, and the weights get "
      "rows for them; or an adapted model such as phi-mini-sqlite, with the weights that are there");
}

CLI::Option* add_larosa_options(CLI::App& command, LarosaArguments& arguments) {
  command
      .add_option("--larosa-mode", arguments.mode,
                  "online (default): inputs are rotated at every layer, and rows of weights of dropped "
                  "activations are not "
                  "read; merged: the same without rotating, since the weights around have absorbed the "
                  "rotations; naive: "
                  "rotate, select, rotate back, and read all weights")
      ->check(CLI::IsMember(kModes));
  CLI::Option* rotation =
      command
          .add_option(
              "--larosa-rotation", arguments.rotation,
              "layer (default): a rotation for each layer; global: one for all; random: one that knows no "
              "text; none")
          ->check(CLI::IsMember({"layer", "global", "random", "none"}));
  command
      .add_option(
          "--larosa-file", arguments.file,
          "Rotations from phi2 calibrate; default: calibrated now on the text that comes with Trisect, and "
          "random ones for synthetic models")
      ->excludes(rotation);
  command.add_option(
      "--larosa-coefficients", arguments.coefficients,
      "IN,OUT: times the sparsity, for the inputs of q, k, v and fc1 and for those of dense and fc2; "
      "default: those that a search left in the file, or 0.8,1.2");
  command.add_flag("--larosa-values,!--larosa-no-values", arguments.values,
                   "Rotate each head's values too (default), unless a file decides it");
  command.add_flag("--larosa-prefill", arguments.prefill,
                   "Drop activations in prefill too, not in decoding alone");
  return command.add_option("--larosa-sparsity", arguments.sparsity,
                            "Share of the activations to drop, within [0, 1), at most three decimals");
}

std::optional<phi2::LarosaOptions> parse_larosa(const LarosaArguments& arguments) {
  if (!arguments.sparsity) {
    for (const auto& [name, given] : {std::pair{"--larosa-mode", !arguments.mode.empty()},
                                      {"--larosa-rotation", !arguments.rotation.empty()},
                                      {"--larosa-file", !arguments.file.empty()},
                                      {"--larosa-coefficients", !arguments.coefficients.empty()},
                                      {"--larosa-prefill", arguments.prefill}}) {
      if (given)
        usage_error("{} says how to drop activations, but not how many: add --larosa-sparsity", name);
    }
    return std::nullopt;
  }
  phi2::LarosaOptions options;
  if (!arguments.mode.empty()) options.mode = mode_from_name(arguments.mode);
  if (!arguments.rotation.empty()) options.rotation = phi2::rotation_kind_from_name(arguments.rotation);
  options.sparsity_permille = parse_sparsity(*arguments.sparsity);
  options.prefill = arguments.prefill;
  options.values = arguments.values;
  if (!arguments.file.empty()) {
    const phi2::RotationInfo info = phi2::read_rotation_info(arguments.file);
    options.rotation = info.kind;
    options.values = info.values;
    options.coefficients = info.coefficients.value_or(phi2::Coefficients());
  }
  if (!arguments.coefficients.empty()) options.coefficients = parse_coefficients(arguments.coefficients);
  phi2::validate(options);
  return options;
}

int parse_sparsity(std::string_view text, const char* option) {
  const int permille = parse_permille(option, text, text, "0.4");
  if (permille < 0 || permille >= 1000) usage_error("{} {} is not within [0, 1)", option, text);
  return permille;
}

phi2::Coefficients parse_coefficients(std::string_view text) {
  constexpr char kName[] = "--larosa-coefficients", kExample[] = "0.8,1.2";
  const std::size_t comma = text.find(',');
  if (comma == text.npos) usage_error("{} '{}' is not two numbers such as {}", kName, text, kExample);
  return {.in_permille = parse_permille(kName, text, text.substr(0, comma), kExample),
          .out_permille = parse_permille(kName, text, text.substr(comma + 1), kExample)};
}

std::string_view name_of(phi2::LarosaMode mode) { return kModes.at(static_cast<std::size_t>(mode)); }

phi2::LarosaMode mode_from_name(std::string_view name) {
  const auto found = std::find(kModes.begin(), kModes.end(), name);
  if (found == kModes.end()) usage_error("mode '{}': choose naive, online or merged", name);
  return static_cast<phi2::LarosaMode>(found - kModes.begin());
}

void add_kv_cache_option(CLI::App& command, std::string& name, const char* of) {
  command
      .add_option(
          "--kv-cache", name,
          fmt::format(
              "Memory for keys and values{}: static (the whole context, touched), lazy (not touched), "
              "growing (doubled and copied), paged (blocks of 16 tokens), vattention (committed as "
              "the sequence grows) or tracked (static, with books that say otherwise)",
              of))
      ->check(CLI::IsMember({"static", "lazy", "growing", "paged", "vattention", "tracked"}))
      ->capture_default_str();
}

CLI::Option* add_prompts_option(CLI::App& command, PromptOptions& options, const char* otherwise) {
  return command.add_option("--prompts", options.file,
                            fmt::format("File with one prompt a line{}", otherwise));
}

CLI::Option* add_prompt_tokens_option(CLI::App& command, PromptOptions& options) {
  return command
      .add_option(
          "--prompt-tokens", options.random_tokens,
          "A prompt of so many random token ids, drawn by --seed; default for models without a tokenizer: 16")
      ->check(CLI::PositiveNumber)
      ->excludes("--prompts");
}

void add_decode_text_options(CLI::App& command, PromptOptions& options) {
  CLI::Option* text =
      command
          .add_option("--decode-text", options.decode_text,
                      "Prompts and answers are passages of this file: the answer's tokens are given, "
                      "not drawn, so that all sides decode the same characters, whatever they predict")
          ->excludes("--prompts")
          ->excludes("--prompt-tokens");
  command.add_option("--passages", options.passages, "Passages of --decode-text")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str()
      ->needs(text);
  command
      .add_option("--passage-characters", options.passage_characters,
                  "Characters of each, a sixth of them the prompt's")
      ->check(CLI::Range(60, 1000000))
      ->capture_default_str()
      ->needs(text);
}

void add_sampling_options(CLI::App& command, SamplingOptions& options) {
  command.add_option("--max-new-tokens", options.max_new_tokens, "Tokens to generate at most")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command
      .add_option("--context", options.context,
                  "Tokens that the KV cache has room for; default: the longest prompt and its new tokens")
      ->check(CLI::PositiveNumber);
  command.add_option("--temperature", options.params.temperature, "0 takes the most probable token")
      ->capture_default_str();
  command
      .add_option("--top-p", options.params.top_p,
                  "Draw from the fewest tokens that have this probability together")
      ->capture_default_str();
  command.add_option("--seed", options.params.seed, "Of random draws")->capture_default_str();
}

}  // namespace trisect::runner
