#include "reports/generator/publish.hpp"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>

#include "kernels/core/error.hpp"
#include "reports/generator/machines.hpp"
#include "reports/generator/plot.hpp"
#include "reports/generator/read_common.hpp"
#include "reports/generator/write_report.hpp"

namespace trisect::report {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFiles[] = {kBenchmarkFile, kManifestFile, kCompareFile,
                                  kSweepFile,     kTraceFile,    kVocabularyFile};

/// What can be computed from the samples, and what concerns Google Benchmark alone.
constexpr const char* kDerived[] = {
    "family_index", "per_family_instance_index", "threads",         "cpu_time",
    "repetitions",  "bytes_per_second",          "items_per_second"};

std::string compact(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  auto json = nlohmann::ordered_json::parse(std::string{std::istreambuf_iterator<char>(stream), {}});
  if (path.filename() == kBenchmarkFile) {
    auto samples = nlohmann::ordered_json::array();
    for (auto& entry : json.at("benchmarks")) {
      if (entry.at("run_type") != "iteration") continue;
      for (const char* key : kDerived) entry.erase(key);
      samples.push_back(std::move(entry));
    }
    json["benchmarks"] = std::move(samples);
  }
  // Where a model lies concerns this machine alone.
  if (const auto model = json.find("model"); model != json.end() && model->contains("path"))
    (*model)["path"] = fs::path(model->at("path").get<std::string>()).filename().string();
  return json.dump() + "\n";
}

/// "AMD EPYC 7B13 64-Core" becomes "amd-epyc-7b13-64-core".
std::string slug(const std::string& text) {
  std::string out;
  for (const char c : file_safe(text)) {
    if (c == '-' && (out.empty() || out.back() == '-')) continue;
    out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  while (!out.empty() && out.back() == '-') out.pop_back();
  return out.empty() ? "unknown" : out;
}

std::string folder_name(const Results& results) {
  std::string started;
  for (const Origin* origin : results.origins())
    started = started.empty() ? origin->started_utc : std::min(started, origin->started_utc);
  const Origin& origin = *results.origins().front();
  return fmt::format("{}-{}-{}", started.substr(0, 10), slug(origin.environment.cpu),
                     origin.build.git_hash.substr(0, 7));
}

}  // namespace

std::vector<fs::path> result_directories(const fs::path& root) {
  std::set<fs::path> found;
  std::error_code failed;
  for (fs::recursive_directory_iterator entry(root, failed), end; !failed && entry != end;
       entry.increment(failed)) {
    const auto* name = std::find(std::begin(kFiles), std::end(kFiles), entry->path().filename().string());
    if (name != std::end(kFiles)) found.insert(entry->path().parent_path());
  }
  if (failed) environment_error("{}: cannot be read: {}", root.string(), failed.message());
  if (found.empty())
    environment_error("{}: no results in or below it; name the directory of a run", root.string());
  return {found.begin(), found.end()};
}

std::string unpublishable(const Results& results) {
  for (const Origin* origin : results.origins()) {
    const std::string file = origin->files.front().path + ": ";
    const Build& build = origin->build;
    if (build.git_dirty) return file + "built from a tree with uncommitted changes: commit, and run it again";
    if (build.git_hash.empty() || build.git_hash == "unknown") return file + "of an unknown revision";
    if (build.build_type != "Release" && build.build_type != "RelWithDebInfo")
      return file + "built as '" + build.build_type + "', not for speed";
    if (!build.sanitizers.empty() && build.sanitizers != "none") return file + "built with sanitizers";
    if (origin->interrupted) return file + "the run was interrupted: run it again";
  }
  if (machines_of(results).size() > 1) return "the results are of several machines: publish each on its own";
  const auto emulated = [](const Origin& origin, const std::string& device) {
    return on_absent_device(origin, device) ? origin.files.front().path + ": ran on an emulated device" : "";
  };
  for (const MicrobenchRun& run : results.runs) {
    if (run.accelerator && run.accelerator->emulated)
      return run.origin.files.back().path + ": ran on an emulated device";
  }
  std::string why;
  for (const CompareRun& run : results.comparisons)
    why += why.empty() ? emulated(run.origin, run.settings.device) : "";
  for (const SweepRun& run : results.sweeps) why += why.empty() ? emulated(run.origin, run.device) : "";
  for (const TraceRun& run : results.traces) why += why.empty() ? emulated(run.origin, run.device) : "";
  for (const VocabularyRun& run : results.vocabularies)
    why += why.empty() ? emulated(run.origin, run.device) : "";
  return why;
}

fs::path publish(const fs::path& run, const fs::path& into, const std::string& version) {
  const Results results = read_results(result_directories(run), run);
  if (const std::string why = unpublishable(results); !why.empty())
    environment_error("not published: {}", why);
  const fs::path target = into / folder_name(results), making = into / ("." + folder_name(results));
  if (fs::exists(target))
    environment_error("{}: is published already; remove it first to publish it anew", target.string());
  std::error_code failed;
  fs::remove_all(making, failed);
  std::vector<fs::path> copies;
  for (const fs::path& directory : result_directories(run)) {
    copies.push_back(making / directory.lexically_relative(run));
    fs::create_directories(copies.back(), failed);
    for (const char* name : kFiles) {
      if (fs::exists(directory / name)) write_text_file(copies.back() / name, compact(directory / name));
    }
  }
  const std::string no_pictures = write_report(read_results(copies, making), making / "report.md", version);
  if (!no_pictures.empty()) {
    fs::remove_all(making, failed);
    environment_error("not published: no pictures: {}", no_pictures);
  }
  fs::rename(making, target, failed);
  if (failed) environment_error("{}: cannot be written: {}", target.string(), failed.message());
  return target;
}

}  // namespace trisect::report
