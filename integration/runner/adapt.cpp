// phi2 adapt: a vocabulary for a domain, and what it does to texts.
#include <chrono>
#include <cstdio>

#include "integration/phi2/model/content_hash.hpp"
#include "integration/phi2/model/patch_weights.hpp"
#include "integration/phi2/tokenizer/bpe_tokenizer.hpp"
#include "integration/phi2/tokenizer/patch_build.hpp"
#include "integration/phi2/tokenizer/patch_tokenizer.hpp"
#include "integration/runner/adapted_model.hpp"
#include "integration/runner/commands.hpp"
#include "integration/runner/files.hpp"
#include "integration/runner/measured.hpp"
#include "integration/runner/record.hpp"
#include "integration/runner/terminal.hpp"
#include "integration/runner/token_counts.hpp"
#include "kernels/core/environment.hpp"
#include "kernels/core/interrupt.hpp"
#include "kernels/core/threads.hpp"

namespace trisect::runner {
namespace {

namespace fs = std::filesystem;

struct Arguments {
  std::string model = "phi-mini", corpus, output, json, score = "saved", encoding = "optimal",
              init = "exponential";
  std::vector<std::string> held_out;
  phi2::PatchBuildOptions build;
  double init_base = 2;
  bool weights = false;
  int threads = 0;
};

/// A directory with a tokenizer is enough, unless weights are wanted.
fs::path directory_of(const std::string& model) {
  std::error_code ignored;
  if (fs::exists(fs::path(model) / "tokenizer.json", ignored)) return model;
  const phi2::ModelSource source = phi2::find_model(model);
  if (source.synthetic())
    usage_error("--model {} has no tokenizer: name a directory with tokenizer.json", model);
  return source.directory;
}

std::string shown(const phi2::Tokenizer& base, const phi2::PatchVocabulary::Added& added) {
  return Json(base.decode(added.parts)).dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json top_json(const phi2::Tokenizer& base, const phi2::PatchBuild& build, std::size_t most) {
  Json top = Json::array();
  for (std::size_t i = 0; i < std::min(most, build.count.size()); ++i) {
    const auto& added = build.vocabulary.added[i];
    top.push_back({{"id", added.id},
                   {"parts", added.parts},
                   {"text", base.decode(added.parts)},
                   {"count", build.count[i]}});
  }
  return top;
}

ExitCode adapt(Arguments arguments) {
  constexpr std::size_t kTop = 50, kShown = 5;
  const std::string started = utc_now();
  const auto start = std::chrono::steady_clock::now();
  arguments.build.released_score = arguments.score == "released";
  const fs::path directory = directory_of(arguments.model), tokenizer_json = directory / "tokenizer.json";
  refuse_adapted(directory);
  if (arguments.weights) phi2::load_config(directory / "config.json");
  const ResultFile file(arguments.json);
  make_directory(arguments.output);
  refuse_same_directory(directory, arguments.output);
  const fs::path patch_file = fs::path(arguments.output) / phi2::kPatchFile;
  require_writable(patch_file);
  const std::string corpus = read_text(arguments.corpus);

  watch_interrupts();
  pin_threads(arguments.threads);
  phi2::TokenizerFile tokenizer_file = phi2::read_tokenizer_file(tokenizer_json);
  auto base = phi2::BpeTokenizer::from(phi2::TokenizerFile(tokenizer_file));
  phi2::PatchBuild build =
      phi2::build_patch(tokenizer_file, *base, corpus, arguments.build, stoppable_progress());
  build.vocabulary.mode = adaptivocab::patch_mode_from_name(arguments.encoding);
  build.vocabulary.init = phi2::init_kind_from_name(arguments.init);
  build.vocabulary.init_base = arguments.init_base;
  phi2::validate(build.vocabulary, patch_file);
  phi2::write_patch_file(patch_file, build.vocabulary);
  const double build_s = seconds_since(start);
  const phi2::PatchTokenizer patched(std::move(base), build.vocabulary.base_hash, build.vocabulary,
                                     patch_file);

  std::vector<TokenCount> counts{
      count_tokens(patched, fs::path(arguments.corpus).filename().string(), corpus)};
  for (const std::string& path : arguments.held_out) {
    const std::string text = read_text(path), name = fs::path(path).filename().string();
    counts.push_back(count_tokens(patched, name, text));
    counts.push_back(count_tokens(patched, name + ", new lines", new_lines(text, corpus)));
  }
  print(token_count_table(counts));
  fmt::print(stderr, "{}: {} new tokens of {} asked for, {} removed, {} tokens in all; {}\n",
             patch_file.string(), build.vocabulary.added.size(), arguments.build.add,
             build.vocabulary.removed.size(), build.vocabulary.size(), seconds_text(build_s));
  for (std::size_t i = 0; i < std::min(kShown, build.count.size()); ++i) {
    fmt::print(stderr, "  {:>8} times  {}\n", build.count[i],
               shown(patched.base(), build.vocabulary.added[i]));
  }
  if (arguments.weights) {
    write_adapted_model(directory, build.vocabulary, arguments.output, stoppable_progress());
    fmt::print(stderr, "{}: model.safetensors, config.json and tokenizer.json of the adapted model\n",
               arguments.output);
  }

  Json record = record_header("trisect/adapt", started, interrupted());
  record["model"] = arguments.model;
  record["settings"] = {{"add", arguments.build.add},
                        {"max_n", arguments.build.max_n},
                        {"min_count", arguments.build.min_count},
                        {"swap", arguments.build.swap},
                        {"cross_words", arguments.build.cross_words},
                        {"cross_lines", arguments.build.cross_lines},
                        {"digits", arguments.build.digits},
                        {"score", arguments.score},
                        {"encoding", arguments.encoding},
                        {"init", arguments.init},
                        {"init_base", arguments.init_base},
                        {"threads", thread_count()}};
  record["patch_hash"] = phi2::hash_of(build.vocabulary);
  record["base_tokens"] = build.vocabulary.base_tokens;
  record["added"] = build.vocabulary.added.size();
  record["removed"] = build.vocabulary.removed.size();
  record["corpus"] = {{"name", fs::path(arguments.corpus).filename().string()},
                      {"hash", phi2::hash_name(phi2::hash_text(corpus))},
                      {"bytes", corpus.size()}};
  record["build_s"] = build_s;
  record["peak_rss_bytes"] = peak_rss_bytes();
  record["texts"] = token_counts_json(counts);
  record["top"] = top_json(patched.base(), build, kTop);
  file.write(record);
  return ExitCode::kOk;
}

}  // namespace

void add_adapt(CLI::App& program, ExitCode& exit_code) {
  CLI::App& command = *program.add_subcommand(
      "adapt",
      "Build a patch tokenizer for the texts of a domain (AdaptiVocab), and adapt a model's weights to it");
  const auto arguments = std::make_shared<Arguments>();
  phi2::PatchBuildOptions& build = arguments->build;
  command
      .add_option("--model", arguments->model,
                  "A model, or for the tokenizer alone any directory with tokenizer.json")
      ->capture_default_str();
  command
      .add_option("--corpus", arguments->corpus, "Text of the domain: n-grams of its tokens become tokens")
      ->required();
  command.add_option("--add", build.add, "How many")->required()->check(CLI::Range(1, 1 << 19));
  command.add_option("--output", arguments->output, "Directory for patch_tokenizer.json")->required();
  command.add_flag("--weights", arguments->weights,
                   "Also write the adapted model there: weights, config.json and tokenizer.json. Without it, "
                   "--patch-tokenizer adapts the weights whenever the model is loaded");
  command.add_flag(
      "--swap", build.swap,
      "Give up as many of the least used tokens, as published; the tables keep their size, and other "
      "texts may get longer. Default: extend, into the padding rows first, and no text gets longer");
  command.add_option("--max-n", build.max_n, "Base tokens of the longest n-gram")
      ->check(CLI::Range(2, 8))
      ->capture_default_str();
  command.add_option("--min-count", build.min_count, "Places that an n-gram must save something at")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command.add_flag("--cross-words,!--no-cross-words", build.cross_words,
                   "N-grams may go on into the next word (default)");
  command.add_flag("--cross-lines,!--no-cross-lines", build.cross_lines,
                   "N-grams may have line ends in them (default)");
  command.add_flag("--digits,!--no-digits", build.digits, "N-grams may be nothing but digits (default: no)");
  command
      .add_option("--score", arguments->score,
                  "saved: tokens saved, given what was chosen before; released: count times length, as the "
                  "authors' code")
      ->check(CLI::IsMember({"saved", "released"}))
      ->capture_default_str();
  command
      .add_option(
          "--encoding", arguments->encoding,
          "optimal: the fewest tokens; longest: the longest n-gram at each place; released: the first "
          "in the order of selection, as the authors' code")
      ->check(CLI::IsMember({"optimal", "longest", "released"}))
      ->capture_default_str();
  command
      .add_option(
          "--init", arguments->init,
          "Rows of new tokens: exponential, as published (the last part heaviest in the embedding, the "
          "first in the head); mean and random are the controls")
      ->check(CLI::IsMember({"exponential", "mean", "random"}))
      ->capture_default_str();
  command.add_option("--init-base", arguments->init_base, "How much heavier each part is than its neighbour")
      ->check(CLI::Range(0.01, 100.0))
      ->capture_default_str();
  command.add_option(
      "--held-out", arguments->held_out,
      "Text to count tokens of, as a whole and its lines that occur neither before in it nor in the "
      "corpus; may be repeated");
  command.add_option("--threads", arguments->threads, "See generate")->check(CLI::PositiveNumber);
  command.add_option("--json", arguments->json, "File for all figures, as JSON");
  command.callback([arguments, &exit_code] { exit_code = adapt(*arguments); });
}

}  // namespace trisect::runner
