// phi2 trace: many requests that come and go, on one engine and several KV caches.
#include <cstdio>

#include "integration/runner/commands.hpp"
#include "integration/runner/files.hpp"
#include "integration/runner/terminal.hpp"
#include "integration/runner/trace_figures.hpp"
#include "integration/runner/trace_file.hpp"
#include "kernels/core/cuda/device.hpp"
#include "kernels/core/environment.hpp"
#include "kernels/core/interrupt.hpp"
#include "kernels/core/random.hpp"
#include "kernels/core/threads.hpp"

namespace trisect::runner {
namespace {

constexpr int kAccounts = 8;  // times that the kernel's account is taken in a run, besides the end
/// The block table of paged on a device comes in a piece of at most so many bytes.
constexpr std::size_t kTableBytes = std::size_t{2} << 20;

struct Arguments {
  ModelOptions model;
  LarosaArguments larosa;
  std::string trace, granule = "small", json;
  std::vector<std::string> policies{"static", "growing", "paged", "vattention"};
  int slots = 8, context = 0, requests = 0, ahead = 16;
  double budget_mb = 0;   // 0: none
  double parked_mb = -1;  // negative: none
  std::uint64_t seed = 1;
};

std::size_t megabytes(double value) { return static_cast<std::size_t>(value * 1e6); }

vattention::Granule granule_of(const Arguments& arguments) {
  return arguments.granule == "huge" ? vattention::Granule::kHuge : vattention::Granule::kSmall;
}

vattention::KvOptions cache_options(const Arguments& arguments, const phi2::Engine& engine) {
  vattention::KvOptions options = phi2::kv_options(engine.config(), engine.weights().dtype, arguments.slots,
                                                   engine.context(), engine.weights().device);
  if (arguments.budget_mb > 0) options.budget = megabytes(arguments.budget_mb);
  if (arguments.parked_mb >= 0) options.parked_budget = megabytes(arguments.parked_mb);
  options.granule = granule_of(arguments);
  options.ahead_tokens = arguments.ahead;
  return options;
}

/// Prompts of random ids: what they say does not matter to memory, and every machine draws the same.
std::vector<phi2::Request> requests_of(const Trace& trace, int vocabulary, std::uint64_t seed) {
  std::vector<phi2::Request> requests;
  for (const TraceRequest& one : trace.requests) {
    phi2::Request request{one.arrival, {}, one.output};
    const Seed own = derive(seed, requests.size());
    for (int i = 0; i < one.prompt; ++i) {
      request.prompt.push_back(static_cast<std::int32_t>(random_bits(own, static_cast<std::uint64_t>(i)) %
                                                         static_cast<std::uint64_t>(vocabulary)));
    }
    requests.push_back(std::move(request));
  }
  return requests;
}

void take_account(TraceRun& run, int step) {
  run.cache->settle();
  run.accounts.push_back({step, run.cache->usage().committed, run.cache->resident()});
}

void advance(TraceRun& run) {
  const std::int64_t faults = team_page_faults();
  const phi2::BatchServer::Step step = run.server->step();
  if (step.decoded > 0 && step.admitted == 0 && step.ended == 0) {
    ++run.steady_steps;
    run.steady_faults += team_page_faults() - faults;
  }
  run.prefill_s += step.prefill_s;
  run.generated += step.admitted + step.decoded;
  if (step.decoded > 0) {
    run.decode_s.push_back(step.decode_s);
    run.decode_step.push_back(step.number);
  }
  const vattention::KvUsage usage = run.cache->usage();
  run.meter.sample(step.number, usage);
  run.points.push_back({step.number, run.server->running(), usage});
}

/// Step by step in turns, so that all see the same machine; whoever begins changes.
void run_all(std::vector<TraceRun>& runs, int last_arrival) {
  const int every = std::max(1, last_arrival / kAccounts);
  for (std::size_t round = 0; !interrupted(); ++round) {
    bool any = false;
    for (std::size_t i = 0; i < runs.size(); ++i) {
      TraceRun& run = runs[(round + i) % runs.size()];
      if (run.server->done()) continue;
      any = true;
      advance(run);
      if (round % static_cast<std::size_t>(every) == static_cast<std::size_t>(every) / 2)
        take_account(run, run.points.back().step);
    }
    if (!any) break;
  }
  for (TraceRun& run : runs) {
    take_account(run, run.points.empty() ? 0 : run.points.back().step);
    run.work = run.cache->work();
  }
}

/// Ends the caches one by one. A device's own account names nobody, but nothing else changes meanwhile.
void return_all(std::vector<TraceRun>& runs) {
  if constexpr (kCudaBuild) {
    for (TraceRun& run : runs) {
      if (!run.server->done()) continue;  // interrupted: its server has slots to give back
      run.returned = {run.accounts.back().committed, cuda::free_bytes()};
      run.cache.reset();
      run.returned->freed = cuda::free_bytes() - run.returned->freed;
    }
  }
}

/// Names what does not hold; "" when all does.
std::string complaint_of(const std::vector<TraceRun>& runs) {
  for (const TraceRun& run : runs) {
    if (const double disagreement = largest_disagreement(run, kTableBytes); disagreement > 0.01) {
      return fmt::format("{}: committed bytes and the {}'s account differ by {:.1f} %", run.policy,
                         run.returned ? "driver" : "kernel", 100 * disagreement);
    }
    const bool equal_batches = counts_of(run).preemptions == 0 && counts_of(runs.front()).preemptions == 0 &&
                               run.decode_step == runs.front().decode_step;
    if (equal_batches && !same_ids(run, runs.front()))
      return fmt::format("{} and {} generated different tokens", run.policy, runs.front().policy);
  }
  return "";
}

ExitCode run_trace(const Arguments& arguments) {
  const std::string started = utc_now();
  phi2::EngineOptions options;
  options.larosa = parse_larosa(arguments.larosa);
  const ResultFile file(arguments.json);
  Trace trace = read_trace(arguments.trace);
  if (arguments.requests > 0)
    trace.requests.resize(std::min(trace.requests.size(), static_cast<std::size_t>(arguments.requests)));
  const Model model = find_model(arguments.model);
  watch_interrupts();
  pin_threads(arguments.model.threads);
  options.context = arguments.context;
  options.slots = arguments.slots;
  // Not used, and without memory: each policy brings its own.
  options.kv_cache =
      model.device == Device::kCpu ? vattention::KvPolicy::kLazy : vattention::KvPolicy::kVattention;
  const LoadedEngine loaded = load_engine(model, options, arguments.larosa.file);
  phi2::Engine& engine = *loaded.engine;

  std::vector<TraceRun> runs;
  const std::vector<phi2::Request> requests = requests_of(trace, model.vocabulary(), arguments.seed);
  int last_arrival = 0;
  for (const TraceRequest& one : trace.requests) last_arrival = std::max(last_arrival, one.arrival);
  for (const std::string& policy : arguments.policies) {
    TraceRun& run = runs.emplace_back();
    run.policy = policy;
    run.cache =
        vattention::make_kv_cache(vattention::policy_from_name(policy), cache_options(arguments, engine));
    run.server = std::make_unique<phi2::BatchServer>(engine, *run.cache, requests);
  }
  run_all(runs, last_arrival);
  if (model.device == Device::kCuda) return_all(runs);

  print(fmt::format("{}: {} requests, {} slots of {} tokens, granule {}, budget {}\n\n", trace.name,
                    trace.requests.size(), arguments.slots, engine.context(), arguments.granule,
                    arguments.budget_mb > 0 ? fmt::format("{} MB", arguments.budget_mb) : "none"));
  print(trace_table(runs));
  Json record = record_header("trisect/trace-result", started, interrupted());
  record["model"] = model_json(model.source, engine.weights().hash);
  record["settings"] = {
      {"dtype", arguments.model.dtype},
      {"device", arguments.model.device},
      {"threads", thread_count()},
      {"slots", arguments.slots},
      {"context", engine.context()},
      {"granule", arguments.granule},
      {"granule_bytes", vattention::bytes_of(granule_of(arguments), model.device)},
      {"token_bytes", 2 * cache_options(arguments, engine).shape.token_bytes()},
      {"budget_bytes", arguments.budget_mb > 0 ? Json(megabytes(arguments.budget_mb)) : Json()},
      {"parked_budget_bytes", arguments.parked_mb >= 0 ? Json(megabytes(arguments.parked_mb)) : Json()},
      {"ahead_tokens", arguments.ahead},
      {"larosa", larosa_json(options.larosa, loaded.rotation, model.source.config)},
      {"seed", arguments.seed}};
  record["trace"] = {
      {"name", trace.name}, {"description", trace.description}, {"requests", trace.requests.size()}};
  record["runs"] = trace_runs_json(runs);
  file.write(record);
  if (interrupted()) return ExitCode::kInterrupted;
  if (const std::string complaint = complaint_of(runs); !complaint.empty()) {
    fmt::print(stderr, "phi2: check failed: {}\n", complaint);
    return ExitCode::kCheckFailed;
  }
  return ExitCode::kOk;
}

}  // namespace

void add_trace(CLI::App& program, ExitCode& exit_code) {
  CLI::App& command = *program.add_subcommand(
      "trace",
      "Requests that come and go in one batch: memory, speed and tokens by KV cache, step by step in turns");
  const auto arguments = std::make_shared<Arguments>();
  add_model_options(command, arguments->model);
  add_larosa_options(command, arguments->larosa);
  command.add_option("--trace", arguments->trace, "File of requests, such as integration/traces/chat.json")
      ->required();
  command
      .add_option("--kv-cache", arguments->policies,
                  "One or more, separated by commas; see generate --help. The first is what the others' step "
                  "times are "
                  "compared with")
      ->delimiter(',')
      ->check(CLI::IsMember({"static", "lazy", "growing", "paged", "vattention", "tracked"}))
      ->capture_default_str();
  command.add_option("--slots", arguments->slots, "Requests that run together at most")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command
      .add_option("--context", arguments->context,
                  "Tokens a request may have; default: the model's positions")
      ->check(CLI::PositiveNumber);
  command.add_option("--requests", arguments->requests, "Take no more than the trace's first")
      ->check(CLI::PositiveNumber);
  command
      .add_option("--kv-budget-mb", arguments->budget_mb,
                  "Megabytes that a KV cache may commit; default: no limit")
      ->check(CLI::PositiveNumber);
  command
      .add_option("--kv-parked-mb", arguments->parked_mb,
                  "Megabytes that paged and vattention keep when requests end; default: all")
      ->check(CLI::NonNegativeNumber);
  command
      .add_option("--kv-granule", arguments->granule,
                  "small (the system's pages; on a GPU the least it has) or huge (2 MiB)")
      ->check(CLI::IsMember({"small", "huge"}))
      ->capture_default_str();
  command
      .add_option("--kv-ahead", arguments->ahead,
                  "Tokens that vattention commits ahead of a sequence, by whole runs of 16")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command.add_option("--seed", arguments->seed, "Of the prompts' random tokens")->capture_default_str();
  command.add_option("--json", arguments->json, "File for all figures, as JSON");
  command.callback([arguments, &exit_code] { exit_code = run_trace(*arguments); });
}

}  // namespace trisect::runner
