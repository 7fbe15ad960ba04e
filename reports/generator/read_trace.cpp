#include <algorithm>
#include <cmath>

#include "kernels/core/error.hpp"
#include "reports/generator/read_common.hpp"

namespace trisect::report {
namespace {

KvBytes read_bytes(const Json& json) {
  return {json.at("reserved_bytes"), json.at("committed_bytes"), json.at("used_bytes"),
          json.at("parked_bytes")};
}

void read_accounts(const Json& accounts, TraceCache& cache) {
  cache.accounts = static_cast<int>(accounts.size());
  for (const Json& one : accounts) {
    const double committed = one.at("committed_bytes"), resident = one.at("resident_bytes");
    const double more = std::max(committed, resident);
    if (more > 0) cache.disagreement = std::max(cache.disagreement, std::abs(committed - resident) / more);
    cache.left = committed;
  }
}

void read_work(const Json& json, TraceCache& cache) {
  cache.foreground_s = json.at("foreground_s");
  cache.background_s = json.at("background_s");
  cache.commits = json.at("commits");
  cache.background_commits = json.at("background_commits");
  cache.decommits = json.at("decommits");
  cache.copied = json.at("copied_bytes");
}

TraceCache read_cache(const Json& json, const std::string& where) {
  TraceCache cache;
  cache.name = json.at("kv_cache");
  const Json &requests = json.at("requests"), &step = json.at("step"), &steady = json.at("steady");
  cache.finished = requests.at("finished");
  cache.refused = requests.at("refused");
  cache.preemptions = requests.at("preemptions");
  cache.tokens_per_s = known_number(json.at("tokens_per_s"));
  if (step.is_object()) {
    cache.step_p50_s = step.at("p50_s");
    cache.step_p99_s = step.at("p99_s");
  }
  cache.steady_steps = steady.at("steps");
  cache.steady_faults = steady.at("page_faults");
  cache.prefill_s = json.at("prefill_s");
  cache.decode_s = json.at("decode_s");
  cache.peak = read_bytes(json.at("peak"));
  cache.highest = json.at("peak").value("highest_bytes", cache.peak.committed);
  cache.average = read_bytes(json.at("average"));
  if (cache.average.used > cache.average.committed) {
    environment_error("{}.average.used_bytes is {}, more than committed_bytes, which is {}", where,
                      cache.average.used, cache.average.committed);
  }
  cache.utilisation = json.at("utilisation");
  cache.fragmentation = json.at("fragmentation").at("average_bytes");
  read_work(json.at("work"), cache);
  for (const auto& [other, against] : json.at("against").items()) {
    cache.against[other] = {known_number(against.at("saved_fraction")),
                            known_number(against.at("step_ratio")), against.at("same_ids")};
  }
  read_accounts(json.at("kernel_account"), cache);
  for (const Json& point : json.at("over_time"))
    cache.over_time.push_back({point.at("step"), point.at("running"), read_bytes(point)});
  return cache;
}

/// What is saved is a quotient of averages that the file has too; one in which it is not was edited or mixed.
void require_consistent(const TraceRun& run, const std::string& path) {
  for (const TraceCache& cache : run.caches) {
    for (const auto& [name, against] : cache.against) {
      const TraceCache* other = run.find(name);
      if (other == nullptr) {
        environment_error("{}: {} is compared with {}, of which there is no run", path, cache.name, name);
      }
      if (!against.saved || other->average.committed == 0) continue;
      const double saved = 1 - cache.average.committed / other->average.committed;
      if (std::abs(saved - *against.saved) > 1e-3) {
        environment_error(
            "{}: {} is said to save {:.4f} of {}'s committed bytes, but their averages make it {:.4f}: run "
            "the "
            "trace again",
            path, cache.name, *against.saved, name, saved);
      }
    }
  }
}

}  // namespace

TraceRun read_trace(const std::filesystem::path& directory, const std::filesystem::path& report_directory) {
  const JsonFile file = read_json_file(directory / kTraceFile, "trace");
  const Json& json = file.json;
  const std::string path = file.path.string();
  TraceRun run;
  run.origin = read_origin(json, "phi2 trace");
  run.origin.files = {input_file(file, report_directory)};
  run.model = read_model(json.at("model"));
  const Json &settings = json.at("settings"), &trace = json.at("trace");
  run.dtype = settings.at("dtype");
  run.device = settings.at("device");
  run.granule = settings.at("granule");
  run.threads = settings.at("threads");
  run.slots = settings.at("slots");
  run.context = settings.at("context");
  run.ahead_tokens = settings.at("ahead_tokens");
  run.granule_bytes = settings.at("granule_bytes");
  run.token_bytes = settings.at("token_bytes");
  run.budget = known_number(settings.at("budget_bytes"));
  run.parked_budget = known_number(settings.at("parked_budget_bytes"));
  if (const Json larosa = settings.value("larosa", Json()); larosa.is_object())
    run.larosa = fmt::format("{}, {} %", larosa.at("mode").get<std::string>(),
                             larosa.at("sparsity_permille").get<int>() / 10.0);
  run.name = trace.at("name");
  run.description = trace.at("description");
  run.requests = trace.at("requests");
  const Json& caches = json.at("runs");
  for (std::size_t i = 0; i < caches.size(); ++i) {
    const std::string where = fmt::format("{}: runs[{}]", path, i);
    TraceCache cache = read_cache(caches[i], where);
    if (run.find(cache.name) != nullptr)
      environment_error("{}: {} is listed twice: give the report one run of it", where, cache.name);
    run.caches.push_back(std::move(cache));
  }
  require_consistent(run, path);
  return run;
}

}  // namespace trisect::report
