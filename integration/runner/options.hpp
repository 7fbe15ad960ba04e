// The options that subcommands share, each declared once.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "integration/phi2/engine/larosa_options.hpp"
#include "kernels/dense/sampling.hpp"

namespace trisect::runner {

struct ModelOptions {
  std::string model = "phi-mini";
  std::string tokenizer;        ///< directory; "" for the model's own
  std::string patch_tokenizer;  ///< file or adapted model; "" for a model as it is
  std::string dtype = "bf16";
  std::string device = "cpu";
  std::string cuda_graph = "on";
  int threads = 0;  ///< 0: see pin_threads()
};
void add_model_options(CLI::App& command, ModelOptions& options);
/// Part of the above.
void add_patch_tokenizer_option(CLI::App& command, std::string& file);

struct LarosaArguments {
  std::optional<std::string> sparsity;
  std::string mode;          ///< "" for online
  std::string rotation;      ///< kind; "" for the file's, or layer
  std::string coefficients;  ///< "" for the file's, or those published
  std::string file;          ///< rotations; "" for those that choose_rotations() makes
  bool prefill = false;
  bool values = true;
};
/// Returns --larosa-sparsity, for the subcommand that cannot do without.
CLI::Option* add_larosa_options(CLI::App& command, LarosaArguments& arguments);

/// Nothing without a sparsity. Throws Error(kUsage) for one outside [0, 1), alone or times a coefficient, and
/// for other options of LaRoSA without one; Error(kEnvironment) for a file that is no rotation file.
std::optional<phi2::LarosaOptions> parse_larosa(const LarosaArguments& arguments);

/// 400 for "0.4"; at most three decimals, so that no rounding decides how many activations are kept.
/// Throws Error(kUsage) for anything else and outside [0, 1).
int parse_sparsity(std::string_view text, const char* option = "--larosa-sparsity");

/// {800, 1200} for "0.8,1.2". Throws Error(kUsage).
phi2::Coefficients parse_coefficients(std::string_view text);

std::string_view name_of(phi2::LarosaMode mode);
/// Throws Error(kUsage).
phi2::LarosaMode mode_from_name(std::string_view name);

/// --kv-cache of one policy, static unless given.
void add_kv_cache_option(CLI::App& command, std::string& name, const char* of = "");

struct PromptOptions {
  std::optional<std::string> text;
  std::string file;
  int random_tokens = 0;      ///< 0 means not asked for
  std::string decode_text{};  ///< file; "" means not asked for
  int passages = 3, passage_characters = 600;
};
CLI::Option* add_prompts_option(CLI::App& command, PromptOptions& options, const char* otherwise = "");
CLI::Option* add_prompt_tokens_option(CLI::App& command, PromptOptions& options);
/// After the two above.
void add_decode_text_options(CLI::App& command, PromptOptions& options);

struct SamplingOptions {
  int max_new_tokens = 64;
  int context = 0;  ///< 0: as long as needed
  dense::SamplingParams params;
};
void add_sampling_options(CLI::App& command, SamplingOptions& options);

}  // namespace trisect::runner
