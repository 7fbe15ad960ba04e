// What the result files say, in memory. Times of benchmarks are in nanoseconds, those of generation in
// seconds; GB is 1e9 bytes.
#pragma once

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "reports/generator/statistics.hpp"

namespace trisect::report {

struct InputFile {
  std::string path;  ///< relative to the report
  std::string fnv1a64;
};

struct Build {
  std::string version, git_hash, compiler, flags, build_type, sanitizers;
  bool git_dirty = false;
};

struct Environment {
  std::string cpu, governor, gpu;
  std::optional<double> processors, threads, llc_bytes, load;  ///< empty where unknown
  std::optional<bool> threads_pinned;
  std::vector<std::pair<std::string, std::string>> all;  ///< every key as text
};

/// What all kinds of runs have in common.
struct Origin {
  std::string program;
  std::vector<InputFile> files;
  std::vector<std::string> command;
  std::string started_utc, finished_utc;
  bool interrupted = false;
  std::optional<long> seed{};  ///< the first, of runs that draw anything
  Build build;
  Environment environment;
};

struct CheckResult {
  std::string status;  ///< pass, fail, mistrusted, or empty when nothing ran
  std::optional<double> error, tolerance;
  std::string detail;
};

/// One benchmark. `time_ns` is set only where the row's status is pass, for a wrong result has no time, and
/// where it ran on a real device: what an emulated one took says nothing.
struct Row {
  std::string benchmark;  ///< Google Benchmark's name
  std::string name;       ///< the same without /iterations:.../repeats:.../real_time
  std::string op, variant, device, dtype, group, weights;
  std::map<std::string, int> problem;
  double bytes = 0, flops = 0;  ///< of one call, as declared
  CheckResult check;
  std::string status, reason;
  bool emulated = false;        ///< on a device that is not there
  std::optional<int> launches;  ///< kernels, copies and fills of a call on a device
  std::optional<Summary> time_ns;
  std::map<int, double> sample_ns;          ///< by repetition; of `time_ns`
  std::map<std::string, Summary> stage_ns;  ///< rotate, topk, ...; reserve, commit, ...
  std::optional<double> probe_gbps;  ///< of memory: read around this row, or on a GPU copied in this run
  std::size_t run = 0;               ///< index into Results::runs

  std::string family() const { return op.substr(0, op.find('/')); }
  /// The problem's value of `field`, or `otherwise` where the op has no such field.
  int field(const std::string& field_name, int otherwise = -1) const {
    const auto found = problem.find(field_name);
    return found == problem.end() ? otherwise : found->second;
  }
  std::optional<double> gbps() const {
    return time_ns && bytes > 0 ? std::optional(bytes / time_ns->median) : std::nullopt;
  }
  /// Declared bytes per second over the machine's bandwidth, of what reads cold weights.
  std::optional<double> probe_share() const {
    const bool meant = weights == "cold" && gbps() && probe_gbps && *probe_gbps > 0;
    return meant ? std::optional(*gbps() / *probe_gbps) : std::nullopt;
  }
};

struct Group {
  std::string name;
  std::optional<double> probe_before_gbps, probe_after_gbps;
};

/// The device that CUDA rows ran on.
struct Accelerator {
  std::string name;
  bool emulated = false;
  std::optional<double> bandwidth_gbps;  ///< from clock and bus width: a bound
};

/// One benchmark.json with its manifest.json.
struct MicrobenchRun {
  Origin origin;
  std::string shapes, shapes_fnv1a64;
  std::string pair;                  ///< shared with the run that it took turns with; empty for none
  std::optional<double> probe_gbps;  ///< of the best read kernel
  std::string probe_kernel;
  std::optional<Accelerator> accelerator;
  std::vector<Group> groups;
  std::vector<Row> rows;
};

struct Model {
  std::string name, hash;
  double parameters = 0;
  int layers = 0, hidden = 0, heads = 0, intermediate = 0, vocab = 0;
};

struct Settings {
  std::string dtype, device;
  int max_new_tokens = 0, repetitions = 0, threads = 0;
  double temperature = 0, top_p = 1;
  long seed = 0;
  int context = 0;          ///< tokens that a KV cache has room for
  std::string kv_cache;     ///< of the sides that have it switched on
  std::string larosa_mode;  ///< of the sides that have LaRoSA; empty for none
  int sparsity_permille = 0;
  double coefficient_in = 0, coefficient_out = 0;
  std::optional<double> weight_sparsity;  ///< of files that say it
  /// The vocabulary of the sides that have AdaptiVocab: ids, tokens and what is per token mean different
  /// things there.
  struct Patch {
    int added = 0, removed = 0, tokens = 0;
    bool tuned = false;  ///< the weights are those of an adapted model
  };
  std::optional<Patch> patch;
  /// The text that was decoded, whatever the model said; empty where it wrote its own.
  std::string forced_text;
};

struct Prompt {
  std::string text;
  int tokens = 0;
  std::optional<double> characters{};  ///< of files that count them
};

struct Generation {
  int prompt = 0, repetition = 0, tokens_in = 0, tokens_out = 0;
  double prefill_s = 0, decode_s = 0;
  std::vector<double> token_s;
  std::string text;
  std::optional<double> characters_out{};    ///< of files that count them
  std::map<std::string, double> stages_s{};  ///< over its decode steps
};

struct Memory {
  double peak = 0, weights = 0, rotations = 0, kv = 0, scratch = 0;  ///< bytes; of KV those committed
  double kv_reserved = 0, kv_used = 0;
  double rest() const { return peak - weights - rotations - kv - scratch; }
};

struct Quality {
  std::string text;
  int tokens = 0;
  std::optional<double> perplexity, bits_per_character;
  std::optional<double> kl_nats, agreement;  ///< with LaRoSA, beside the same model without
};

/// Of generated ids, with those of another side.
struct Agreement {
  std::string with;
  int prompts = 0, identical = 0;
  std::optional<double> equal_id_fraction, mean_common_prefix;
};

inline constexpr char kLarosa[] = "larosa";
inline constexpr char kVattention[] = "vattention";
inline constexpr char kAdaptivocab[] = "adaptivocab";

/// One combination of optimisations.
/// Logits of a prompt's first tokens, with nothing dropped, beside those of the plain kernels.
struct SideCheck {
  bool passed = false;
  int tokens = 0;
  std::optional<double> error;
  double tolerance = 0;
};

struct Side {
  std::string name;
  std::vector<std::string> parts;  ///< kLarosa, a KV cache's name, kAdaptivocab; none for the baseline
  std::string description, rotation;
  std::map<std::string, std::string> variants;  ///< op -> variant that ran
  std::vector<double> load_s;
  std::optional<SideCheck> check;  ///< of files that have one
  std::vector<Generation> generations;
  std::optional<Memory> memory;
  double weight_bytes_per_token = 0;
  std::optional<double> kv_bytes_per_token;
  std::optional<Quality> quality;
  std::optional<Agreement> agreement;

  bool has(const std::string& part) const {
    return std::find(parts.begin(), parts.end(), part) != parts.end();
  }
};

/// One compare.json.
struct CompareRun {
  Origin origin;
  Model model;
  Settings settings;
  std::vector<Prompt> prompts;
  std::optional<double> probe_gbps;  ///< median of the probes
  /// Harmonic mean of them: what reads memory takes as long in a machine that always has this as it took here
  /// on average.
  std::optional<double> mean_probe_gbps;
  /// The baseline first; two or more. A side may have repetitions that others have not: those of two sides
  /// are compared where both have them.
  std::vector<Side> sides;

  const Side& baseline() const { return sides.front(); }
};

/// Quality at one sparsity. What was no number in the file, as an overflow leaves it, is empty.
struct SweepPoint {
  std::string mode, rotation;
  bool prefill = false;  ///< activations of the prompt were dropped too
  int sparsity_permille = 0;
  std::optional<double> weight_sparsity, perplexity, kl_nats, agreement;
};

/// One sweep.json: one model on one text.
struct SweepRun {
  Origin origin;
  Model model;
  std::string dtype, device;
  int threads = 0, window_tokens = 0, prompt_tokens = 0;
  std::string text, text_hash;
  int tokens = 0, predicted_tokens = 0;
  bool values = true;  ///< each head's values were rotated too
  double coefficient_in = 0, coefficient_out = 0;
  std::vector<std::string> rotation_origins;  ///< where the matrices come from, as they occur
  std::optional<double> dense_perplexity;
  std::vector<SweepPoint> points;  ///< no two of one mode, rotation, prefill and sparsity
};

/// Bytes of a KV cache, keys and values together.
struct KvBytes {
  double reserved = 0, committed = 0, used = 0, parked = 0;
};

/// One KV cache on a trace.
struct TraceCache {
  std::string name;
  int finished = 0, refused = 0, preemptions = 0;
  std::optional<double> tokens_per_s, step_p50_s, step_p99_s;
  int steady_steps = 0;  ///< that decoded while no request came or went
  int steady_faults = 0;
  KvBytes peak, average;
  double highest = 0;  ///< committed at any moment, both places of a copy included
  double utilisation = 0, fragmentation = 0;
  double foreground_s = 0, background_s = 0, decode_s = 0, prefill_s = 0, copied = 0;
  int commits = 0, background_commits = 0, decommits = 0;
  /// Beside another cache: committed bytes that this one saves of its average, the paired ratio of step
  /// times.
  struct Against {
    std::optional<double> saved, step_ratio;
    bool same_ids = true;
  };
  std::map<std::string, Against> against;
  double disagreement = 0;  ///< the largest of the cache's account with the kernel's, relative
  int accounts = 0;         ///< times that they were compared
  double left = 0;          ///< committed after the last request
  struct Point {
    int step = 0, running = 0;
    KvBytes bytes;
  };
  std::vector<Point> over_time;

  const Against* beside(const std::string& other) const {
    const auto found = against.find(other);
    return found == against.end() ? nullptr : &found->second;
  }
};

/// One trace.json.
struct TraceRun {
  Origin origin;
  Model model;
  std::string dtype, device, granule;
  int threads = 0, slots = 0, context = 0, ahead_tokens = 0;
  double granule_bytes = 0, token_bytes = 0;
  std::optional<double> budget, parked_budget;
  std::string larosa;  ///< mode and sparsity, such as "merged, 50 %"; empty for none
  std::string name, description;
  int requests = 0;
  std::vector<TraceCache> caches;

  const TraceCache* find(const std::string& cache) const {
    for (const TraceCache& each : caches) {
      if (each.name == cache) return &each;
    }
    return nullptr;
  }
};

/// Tokens of a whole text with the base vocabulary and the adapted one.
struct TokenizedText {
  std::string name, hash;
  double characters = 0, base_tokens = 0, patched_tokens = 0;
  std::vector<double> base_words, patched_words;  ///< entry k: words that begin k tokens

  double reduction() const { return 1 - patched_tokens / base_tokens; }
};

struct TopToken {
  std::string text;
  int parts = 0;  ///< base tokens
  double count = 0;
};

/// A model with one vocabulary on the beginning of a text.
struct TextQuality {
  std::string text;
  double characters = 0, tokens = 0, evaluate_s = 0;
  std::optional<double> bits_per_character;
};

/// A prompt continued with one seed.
struct Sample {
  int prompt = 0;
  long seed = 0;
  double tokens_out = 0, characters_out = 0, decode_steps = 0, decode_s = 0;
  bool ended = false;
};

struct VocabularySide {
  std::string name, description, hash;
  int vocabulary = 0;
  bool patched = false;
  double weights_bytes = 0, kv_bytes_per_token = 0;
  std::vector<TextQuality> quality;
  std::vector<Sample> samples;
};

/// One vocabulary.json.
struct VocabularyRun {
  Origin origin;
  Model model;
  std::string dtype, device;
  int threads = 0, max_new_tokens = 0, seeds = 0, prompts = 0, window_tokens = 0, added = 0, removed = 0;
  double temperature = 0, top_p = 1;
  std::vector<TokenizedText> texts;  ///< at least one, the domain's first
  std::string top_text;
  std::vector<TopToken> top;
  std::vector<VocabularySide> sides;  ///< at least two: the base first, the last is patched
};

struct Results {
  std::vector<MicrobenchRun> runs;
  std::vector<CompareRun> comparisons;
  std::vector<SweepRun> sweeps;
  std::vector<TraceRun> traces;
  std::vector<VocabularyRun> vocabularies;

  std::vector<const Origin*> origins() const;
  std::vector<const Row*> rows() const;
};

/// Reads whatever of benchmark.json + manifest.json, compare.json, sweep.json, trace.json and vocabulary.json
/// each directory holds, and puts it together. Links in the report are relative to `report_directory`. Throws
/// Error(kEnvironment), one line, for a directory without results, a broken, old or foreign file, one that
/// contradicts itself, a benchmark without its manifest, files that do not belong together, and a benchmark,
/// comparison, sweep, trace or vocabulary that two inputs hold.
Results read_results(const std::vector<std::filesystem::path>& directories,
                     const std::filesystem::path& report_directory);

/// The microbenchmark run of one directory.
MicrobenchRun read_run(const std::filesystem::path& directory, const std::filesystem::path& report_directory);

}  // namespace trisect::report
