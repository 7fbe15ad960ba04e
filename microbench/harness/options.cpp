#include "microbench/harness/options.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

namespace trisect::microbench {
namespace {

constexpr int kMostRepetitions = 1000;

void add_own_options(CLI::App& app, Options& options) {
  app.set_help_flag();
  app.add_flag("-h,--help", options.help, "this text, and Google Benchmark's flags");
  app.add_flag("--version", options.version, "version, revision, compiler");
  app.add_option("--shapes", options.shapes, "phi2 (default), smoke, compare, or the path of a shapes file");
  app.add_option("--device", options.device, "cpu (default), cuda or all")
      ->check(CLI::IsMember({"cpu", "cuda", "all"}));
  app.add_option("--out", options.out, "directory for benchmark.json and manifest.json");
  app.add_option("--turns", options.turns,
                 "take turns with another run through STEM.say and STEM.grant; see scripts/compare_builds.sh")
      ->type_name("STEM");
  app.add_option("--repetition-ms", options.repetitions.milliseconds,
                 "nominal length of a repetition; it decides how many calls it has")
      ->check(CLI::Range(1, 10000));
  app.add_option("--threads", options.threads,
                 "size of the pinned team; default: OMP_NUM_THREADS or every processor")
      ->check(CLI::PositiveNumber);
}

/// The value of "--name=value" (for a flag without one, `bare`), if this is it.
std::optional<std::string> value_of(const std::string& argument, const std::string& name,
                                    const char* bare = nullptr) {
  if (bare != nullptr && argument == name) return bare;
  if (argument.rfind(name + "=", 0) == 0) return argument.substr(name.size() + 1);
  return std::nullopt;
}

bool parse_bool(const std::string& flag, std::string value) {
  std::transform(value.begin(), value.end(), value.begin(), [](unsigned char c) { return std::tolower(c); });
  for (const std::string_view yes : {"1", "t", "true", "y", "yes", "on"}) {
    if (value == yes) return true;
  }
  for (const std::string_view no : {"0", "f", "false", "n", "no", "off"}) {
    if (value == no) return false;
  }
  usage_error("{}: '{}' is neither true nor false", flag, value);
}

int parse_repetitions(const std::string& value) {
  int count = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), count);
  if (error != std::errc() || end != value.data() + value.size() || count < 1 || count > kMostRepetitions) {
    usage_error("--benchmark_repetitions: '{}' is not a number from 1 to {}", value, kMostRepetitions);
  }
  return count;
}

/// True when the argument is one of Google Benchmark's.
bool take_library_flag(const std::string& argument, Options& options) {
  if (const auto list = value_of(argument, "--benchmark_list_tests", "true")) {
    options.list = parse_bool("--benchmark_list_tests", *list);
  } else if (const auto count = value_of(argument, "--benchmark_repetitions")) {
    options.repetitions.count = parse_repetitions(*count);
  } else if (const auto file = value_of(argument, "--benchmark_out")) {
    options.benchmark_out = *file;
  } else if (const auto format = value_of(argument, "--benchmark_out_format")) {
    if (*format != "json") usage_error("--benchmark_out_format: only json is written, not '{}'", *format);
  } else if (argument.rfind("--benchmark_", 0) == 0 || argument.rfind("--v=", 0) == 0) {
    options.library_flags.push_back(argument);
  } else {
    return false;
  }
  return true;
}

}  // namespace

Options parse_options(int argc, const char* const* argv) {
  Options options;
  CLI::App app;
  add_own_options(app, options);
  std::vector<std::string> own;  // last first, as CLI11 wants them
  for (int i = 1; i < argc; ++i) {
    if (!take_library_flag(argv[i], options)) own.emplace(own.begin(), argv[i]);
  }
  try {
    app.parse(own);
  } catch (const CLI::ParseError& error) {
    std::string message = error.what();
    std::replace(message.begin(), message.end(), '\n', ' ');
    usage_error("{}; see --help", message);
  }
  return options;
}

std::string help_text() {
  Options unused;
  CLI::App app(
      "Times every variant of every kernel against the others, each checked against its reference on the "
      "memory it is timed on.");
  add_own_options(app, unused);
  return app.help("microbench") + fmt::format(R"(
Benchmarks are named <op>/<variant>/<problem>/iterations:N/repeats:{}/manual_time; select them with a regular
expression, e.g. --benchmark_filter=larosa/topk. Iteration counts are fixed, so --benchmark_min_time has no effect.

Exit codes: 0 good; 1 a check failed or a benchmark errored; 2 usage, or a filter that matches nothing;
3 environment (no such device, nothing that can run here, a missing or malformed file, no memory, disk full);
130 interrupted. What is measured is written after every repetition.

Flags of Google Benchmark:
)",
                                              kRepetitions);
}

}  // namespace trisect::microbench
