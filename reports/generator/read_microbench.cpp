#include <algorithm>
#include <set>

#include "kernels/core/error.hpp"
#include "reports/generator/read_common.hpp"

namespace trisect::report {
namespace {

/// The repetitions of one benchmark in Google Benchmark's file.
struct Samples {
  std::vector<double> time_ns;
  std::map<int, double> by_repetition;
  std::map<std::string, std::vector<double>> stage_ns;
  std::string error;
};

double nanoseconds_per(const std::string& unit) {
  if (unit == "us") return 1e3;
  if (unit == "ms") return 1e6;
  return unit == "s" ? 1e9 : 1;
}

/// Rows that errored carry a time of 0, which a careless reader takes for a very fast kernel.
void add_sample(const Json& entry, const std::string& field, const JsonFile& file, Samples& samples) {
  if (entry.value("error_occurred", false)) {
    samples.error = entry.value("error_message", "Google Benchmark reports an error");
    return;
  }
  const double time = entry.value("real_time", 0.0) * nanoseconds_per(entry.value("time_unit", "ns"));
  if (!(time > 0))
    environment_error("{}: {}.real_time is 0 or missing, and no error is reported", file.path.string(),
                      field);
  samples.by_repetition[entry.value("repetition_index", static_cast<int>(samples.time_ns.size()))] = time;
  samples.time_ns.push_back(time);
  for (const char* stage :
       {"rotate", "topk", "scatter", "unrotate", "product", "reserve", "commit", "reclaim", "release"}) {
    if (const auto found = entry.find(fmt::format("{}_ns", stage));
        found != entry.end() && found->is_number()) {
      samples.stage_ns[stage].push_back(found->get<double>());
    }
  }
}

std::map<std::string, Samples> read_samples(const JsonFile& file) {
  std::map<std::string, Samples> samples;
  std::size_t index = 0;
  for (const Json& entry : file.json.at("benchmarks")) {
    const std::string field = fmt::format("benchmarks[{}]", index++);
    if (entry.at("run_type") == "iteration") add_sample(entry, field, file, samples[entry.at("run_name")]);
  }
  return samples;
}

CheckResult read_check(const Json& check) {
  if (check.is_null()) return {};
  return {check.at("status"), known_number(check.at("error")), known_number(check.at("tolerance")),
          check.at("detail")};
}

Row read_row(const Json& json) {
  Row row;
  row.benchmark = json.at("benchmark");
  row.name = row.benchmark.substr(0, row.benchmark.find("/iterations:"));
  row.op = json.at("op");
  row.variant = json.at("variant");
  row.device = json.at("device");
  if (json.at("dtype").is_string()) row.dtype = json.at("dtype");
  row.group = json.at("group");
  row.weights = json.at("weights");
  row.problem = json.at("problem").get<std::map<std::string, int>>();
  const auto& cost = json.at("cost");
  row.bytes = cost.at("bytes_read").get<double>() + cost.at("bytes_written").get<double>();
  row.flops = cost.at("flops");
  row.check = read_check(json.at("check"));
  row.status = json.at("status");
  row.reason = json.at("reason");
  if (const auto launches = json.find("launches"); launches != json.end() && launches->is_number())
    row.launches = launches->get<int>();
  return row;
}

/// The manifest says what a number is worth, Google Benchmark's file has the number; the worse of both
/// counts.
void add_times(const Samples* samples, bool interrupted, const std::string& where, Row& row) {
  if (row.status != "pass") return;
  if (row.check.status != "pass") {
    environment_error("{}: the status of '{}' is pass, but its check is not", where, row.benchmark);
  }
  if (samples != nullptr && !samples->error.empty()) {
    row.status = "error";
    row.reason = samples->error;
  } else if (row.emulated) {
    row.reason = "emulated: ran, but not on a device that could be timed";
  } else if (samples != nullptr) {
    row.time_ns = summarize(samples->time_ns);
    row.sample_ns = samples->by_repetition;
    for (const auto& [stage, times] : samples->stage_ns) row.stage_ns[stage] = summarize(times);
  } else if (interrupted) {
    row.status = "skipped";
    row.reason = "interrupted before it ran";
  } else {
    environment_error("{}: '{}' is not in {} beside it: the two files are of different runs", where,
                      row.benchmark, kBenchmarkFile);
  }
}

/// What a GPU's rows are held against: the fastest copy of the run.
void add_copy_bandwidth(MicrobenchRun& run) {
  std::optional<double> best;
  for (const Row& row : run.rows) {
    if (row.device != "cpu" && row.op == "dense/copy" && row.gbps() && (!best || *row.gbps() > *best))
      best = row.gbps();
  }
  for (Row& row : run.rows) {
    if (row.device != "cpu") row.probe_gbps = best;
  }
}

std::optional<double> around(const Group& group) {
  if (group.probe_before_gbps && group.probe_after_gbps)
    return (*group.probe_before_gbps + *group.probe_after_gbps) / 2;
  return group.probe_before_gbps ? group.probe_before_gbps : group.probe_after_gbps;
}

void read_probes(const Json& json, MicrobenchRun& run) {
  if (const auto probe = json.find("probe"); probe != json.end()) {
    for (const auto& kernel : probe->at("kernels")) {
      const auto gbps = known_number(kernel.at("gbps"));
      if (!gbps || (run.probe_gbps && *gbps <= *run.probe_gbps)) continue;
      run.probe_gbps = gbps;
      run.probe_kernel = kernel.at("name");
    }
  }
  for (const auto& group : json.at("groups")) {
    run.groups.push_back({group.at("name"), known_number(group.at("probe_before_gbps")),
                          known_number(group.at("probe_after_gbps"))});
  }
}

}  // namespace

MicrobenchRun read_microbench(const std::filesystem::path& directory,
                              const std::filesystem::path& report_directory) {
  const JsonFile manifest = read_json_file(directory / kManifestFile, "manifest");
  const JsonFile benchmark = read_json_file(directory / kBenchmarkFile, "google_benchmark");
  MicrobenchRun run;
  run.origin = read_origin(manifest.json, "microbench");
  run.origin.files = {input_file(benchmark, report_directory), input_file(manifest, report_directory)};
  if (const auto shapes = manifest.json.find("shapes"); shapes != manifest.json.end()) {
    run.shapes = shapes->at("name");
    run.shapes_fnv1a64 = shapes->at("fnv1a64");
  }
  if (const auto pair = manifest.json.find("pair"); pair != manifest.json.end() && pair->is_string())
    run.pair = pair->get<std::string>();
  if (const auto device = manifest.json.find("accelerator");
      device != manifest.json.end() && !device->is_null()) {
    run.accelerator = {device->at("name"), device->at("emulated"),
                       known_number(device->at("bandwidth_gbps"))};
  }
  read_probes(manifest.json, run);

  const auto samples = read_samples(benchmark);
  std::set<std::string> known;
  for (const auto& entry : manifest.json.at("rows")) {
    Row row = read_row(entry);
    row.emulated = row.device != "cpu" && run.accelerator && run.accelerator->emulated;
    if (!known.insert(row.benchmark).second) {
      environment_error("{}: '{}' is listed twice", manifest.path.string(), row.benchmark);
    }
    const auto found = samples.find(row.benchmark);
    add_times(found == samples.end() ? nullptr : &found->second, run.origin.interrupted,
              manifest.path.string(), row);
    const auto group = std::find_if(run.groups.begin(), run.groups.end(),
                                    [&](const Group& candidate) { return candidate.name == row.group; });
    if (row.device == "cpu") {
      if (group != run.groups.end()) row.probe_gbps = around(*group);
      if (!row.probe_gbps) row.probe_gbps = run.probe_gbps;
    }
    run.rows.push_back(std::move(row));
  }
  add_copy_bandwidth(run);
  for (const auto& [name, unused] : samples) {
    if (known.count(name) == 0) {
      environment_error("{}: '{}' has no row in {} beside it, so nothing says that it was checked",
                        benchmark.path.string(), name, kManifestFile);
    }
  }
  return run;
}

}  // namespace trisect::report
