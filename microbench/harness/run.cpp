#include "microbench/harness/run.hpp"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <new>
#include <optional>

#include "kernels/core/interrupt.hpp"
#include "kernels/core/threads.hpp"
#include "microbench/harness/filter.hpp"
#include "microbench/harness/options.hpp"
#include "microbench/harness/recorder.hpp"

namespace trisect::microbench {
namespace {

/// Google Benchmark prints its usage and exits with 0 when a flag has an impossible value.
void refuse_library_flag() {
  fmt::print(stderr, "microbench: a --benchmark_ flag has an impossible value; see --help\n");
  std::exit(static_cast<int>(ExitCode::kUsage));
}

void initialize_library(char* program, std::vector<std::string> flags, bool interleaved) {
  benchmark::SetDefaultTimeUnit(benchmark::kMicrosecond);
  flags.insert(flags.begin(),
               fmt::format("--benchmark_enable_random_interleaving={}", interleaved ? "true" : "false"));
  // Files are written here for the whole run; the library would start them anew in each group.
  flags.emplace_back("--benchmark_out=");
  std::vector<char*> argv{program};
  for (std::string& flag : flags) argv.push_back(flag.data());
  int argc = static_cast<int>(argv.size());
  argv.push_back(nullptr);
  benchmark::Initialize(&argc, argv.data(), refuse_library_flag);
  if (argc > 1) usage_error("unknown flag {}; see --help", argv[1]);
}

void add_context(const Manifest& manifest) {
  const auto yes_no = [](bool value) { return value ? "true" : "false"; };
  const Environment& now = manifest.environment;
  benchmark::AddCustomContext("git_hash", manifest.build.git_hash);
  benchmark::AddCustomContext("git_dirty", yes_no(manifest.build.git_dirty));
  benchmark::AddCustomContext("compiler", manifest.build.compiler);
  benchmark::AddCustomContext("flags", manifest.build.flags);
  benchmark::AddCustomContext("build_type", manifest.build.build_type);
  benchmark::AddCustomContext("cpu", now.cpu);
  benchmark::AddCustomContext("governor", now.governor);
  benchmark::AddCustomContext("threads", fmt::format("{}", now.threads));
  benchmark::AddCustomContext("threads_pinned", yes_no(now.threads_pinned));
  benchmark::AddCustomContext("onednn", now.onednn);
  benchmark::AddCustomContext("llc_bytes", fmt::format("{}", now.llc_bytes));
  benchmark::AddCustomContext("shapes", manifest.shapes_name);
}

/// Leaves only what the filter and the device select.
void select(Groups& groups, const Filter& filter, const std::string& device) {
  for (const auto& group : groups) {
    std::erase_if(group->rows(), [&](const auto& row) {
      return !filter.matches(row->benchmark) || (device != "all" && trisect::name_of(row->device) != device);
    });
  }
  std::erase_if(groups, [](const auto& group) { return group->rows().empty(); });
}

void list(const Groups& groups) {
  for (const auto& group : groups) {
    for (const auto& row : group->rows()) {
      if (row->status != Status::kSkipped) std::cout << row->benchmark << '\n';
    }
  }
}

std::size_t longest_name(const Groups& groups) {
  std::size_t longest = 0;
  for (const auto& group : groups) {
    for (const auto& row : group->rows()) longest = std::max(longest, row->benchmark.size());
  }
  return longest;
}

ExitCode measure_all(const Groups& groups, const Options& options, const Suite& suite, Manifest& manifest) {
  watch_interrupts();
  pin_threads(options.threads);
  manifest.build = build();
  manifest.environment = read_environment();
  if (options.device != "cpu") manifest.accelerator = cuda_facts();
  add_context(manifest);
  const ResultFiles files(options);
  std::optional<Turns> turns;
  if (!options.turns.empty()) turns.emplace(options.turns);
  if (turns) manifest.pair = turns->pair();
  Reporter reporter(benchmark::CreateDefaultDisplayReporter(), longest_name(groups));
  Recorder recorder(reporter, files, manifest, turns ? &*turns : nullptr);

  recorder.wait_for_turn("start");
  std::optional<BandwidthProbe> probe;
  if (options.device != "cuda") {
    // Shorter where two runs share the time: still many times the last-level cache.
    probe.emplace(turns ? suite.probe_bytes / 4 : suite.probe_bytes);
    manifest.probe_bytes = probe->bytes();
    manifest.probe_kernels = probe->kernels();
  }
  for (const auto& group : groups) {
    if (interrupted()) break;
    recorder.measure(*group, probe ? &*probe : nullptr);
  }
  recorder.finish();
  reporter.finish();
  if (!options.out.empty()) fmt::print(stderr, "wrote benchmark.json and manifest.json to {}\n", options.out);
  return conclude(manifest);
}

void print_version() {
  const Build it = build();
  std::cout << fmt::format("microbench (Trisect) {}, revision {}{}, {}, {} ({})\n", it.version, it.git_hash,
                           it.git_dirty ? " with changes" : "", it.compiler, it.build_type, it.flags);
}

ExitCode run_checked(int argc, char** argv, const Suite& suite) {
  const Options options = parse_options(argc, argv);
  if (options.version) {
    print_version();
    return ExitCode::kOk;
  }
  if (options.help) {
    std::cout << help_text() << std::flush;
    benchmark::PrintDefaultHelp();
    return ExitCode::kOk;
  }
  // Runs that take turns must come to the same row at the same time.
  initialize_library(argv[0], options.library_flags, options.turns.empty());
  if (options.device == "cuda" && !why_no_cuda().empty())
    environment_error("--device=cuda: {}", why_no_cuda());

  if (options.device == "all" && !kCudaBuild) fmt::print(stderr, "no CUDA rows: {}\n", why_no_cuda());

  Manifest manifest;
  manifest.command.assign(argv, argv + argc);
  manifest.started_utc = utc_now();
  Shapes shapes = Shapes::load(options.shapes);
  manifest.shapes_name = shapes.name();
  manifest.shapes_fnv1a64 = shapes.fnv1a64();
  Groups groups = suite.make_groups(shapes, options.repetitions);
  const std::string filter = benchmark::GetBenchmarkFilter();
  select(groups, Filter(filter), options.device);
  if (groups.empty())
    usage_error("--benchmark_filter: nothing matches '{}'; --benchmark_list_tests shows the names", filter);
  if (options.list) {
    list(groups);
    return ExitCode::kOk;
  }
  return measure_all(groups, options, suite, manifest);
}

int complain(ExitCode code, const char* what) {
  std::cout.flush();
  fmt::print(stderr, "microbench: {}\n", what);
  return static_cast<int>(code);
}

}  // namespace

int run(int argc, char** argv, const Suite& suite) {
  try {
    const ExitCode code = run_checked(argc, argv, suite);
    if (!std::cout.flush()) environment_error("cannot write to standard output");
    return static_cast<int>(code);
  } catch (const Error& error) {
    return complain(error.code(), error.what());
  } catch (const std::bad_alloc&) {
    return complain(ExitCode::kEnvironment, "out of memory");
  } catch (const std::exception& error) {
    return complain(ExitCode::kCheckFailed, error.what());
  }
}

}  // namespace trisect::microbench
