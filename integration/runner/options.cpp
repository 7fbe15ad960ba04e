#include "integration/runner/options.hpp"

#include <charconv>
#include <cmath>

#include "kernels/core/error.hpp"

namespace trisect::runner {

void add_model_options(CLI::App& command, ModelOptions& options) {
  command
      .add_option(
          "--model", options.model,
          "A directory in Hugging Face layout, phi-mini, synthetic:phi-2 (random weights of that shape; also "
          "phi-1.5, phi-1, phi-mini), or OWNER/NAME from the Hugging Face cache")
      ->capture_default_str();
  command.add_option(
      "--tokenizer", options.tokenizer,
      "Directory with tokenizer.json; without one, models that have none take and give token ids");
  command.add_option("--dtype", options.dtype, "Type of weights and KV cache: bf16 or f32")
      ->check(CLI::IsMember({"bf16", "f32"}))
      ->capture_default_str();
  command.add_option("--device", options.device, "cpu or cuda")
      ->check(CLI::IsMember({"cpu", "cuda"}))
      ->capture_default_str();
  command
      .add_option("--threads", options.threads,
                  "Threads, each pinned to a processor; default: OMP_NUM_THREADS, or all processors")
      ->check(CLI::PositiveNumber);
}

CLI::Option* add_larosa_options(CLI::App& command, LarosaArguments& arguments) {
  command
      .add_option(
          "--larosa-mode", arguments.mode,
          "online (default): rotated weights, of which the rows of dropped activations are not read; naive: "
          "rotate, select, rotate back, and read all weights")
      ->check(CLI::IsMember({"naive", "online"}));
  command.add_option(
      "--larosa-file", arguments.file,
      "Rotations from phi2 calibrate; default: calibrated now on the text that comes with Trisect, and "
      "random ones for synthetic models");
  return command.add_option(
      "--larosa-sparsity", arguments.sparsity,
      "Share of the activations to drop in decoding, within [0, 1), at most three decimals; 0.8 "
      "times as much for the inputs of q, k, v and fc1, 1.2 times for those of dense and fc2");
}

std::optional<phi2::LarosaOptions> parse_larosa(const LarosaArguments& arguments) {
  if (!arguments.sparsity) {
    for (const auto& [name, value] :
         {std::pair{"--larosa-mode", arguments.mode}, {"--larosa-file", arguments.file}}) {
      if (!value.empty())
        usage_error("{} says how to drop activations, but not how many: add --larosa-sparsity", name);
    }
    return std::nullopt;
  }
  phi2::LarosaOptions options;
  options.mode = arguments.mode == "naive" ? phi2::LarosaMode::kNaive : phi2::LarosaMode::kOnline;
  options.sparsity_permille = parse_sparsity(*arguments.sparsity);
  phi2::validate(options);
  return options;
}

int parse_sparsity(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    usage_error("--larosa-sparsity '{}' is not a number such as 0.4", text);
  }
  if (!(value >= 0 && value < 1)) usage_error("--larosa-sparsity {} is not within [0, 1)", text);
  const double permille = value * 1000;
  if (std::abs(permille - std::round(permille)) > 1e-9) {
    usage_error("--larosa-sparsity {} has more than three decimals", text);
  }
  return static_cast<int>(std::lround(permille));
}

std::string_view name_of(phi2::LarosaMode mode) {
  return mode == phi2::LarosaMode::kNaive ? "naive" : "online";
}

void add_kv_cache_option(CLI::App& command, std::string& name, const char* of) {
  command
      .add_option("--kv-cache", name,
                  fmt::format("Memory for keys and values{}: static (the whole context, touched), lazy (not touched), "
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
