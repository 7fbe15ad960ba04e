// report --input DIR... --output report.md
// report --compare BASE NEW [--output comparison.md] [--fail-on-regression]
// report --publish RUN [--into reports/published]
// report --readme README.md [--published DIRECTORY] [--check]
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "build_info.hpp"
#include "kernels/core/error.hpp"
#include "reports/generator/publish.hpp"
#include "reports/generator/units.hpp"
#include "reports/generator/versus.hpp"
#include "reports/generator/write_report.hpp"

namespace trisect::report {
namespace {

namespace fs = std::filesystem;

void report_on(const std::vector<fs::path>& inputs, const fs::path& output) {
  const Results results = read_results(inputs, fs::absolute(output).parent_path());
  const std::string no_pictures = write_report(results, output, build_info::kVersion);
  if (!no_pictures.empty()) fmt::print(stderr, "report: no pictures: {}\n", no_pictures);
  fmt::print("{}\n", output.string());
}

/// One line a family on standard output, or everything when no file is given.
ExitCode compare(const std::vector<fs::path>& directories, const fs::path& output, bool fail_on_regression) {
  const fs::path beside = output.empty() ? fs::current_path() : fs::absolute(output).parent_path();
  std::vector<MicrobenchRun> runs;
  for (const fs::path& directory : directories) {
    runs.push_back(read_run(directory, beside));
  }
  const Versus versus = compare_runs(runs[0], runs[1]);
  if (output.empty()) {
    fmt::print("{}", versus_markdown(versus));
  } else {
    std::error_code failed;
    fs::create_directories(beside, failed);
    write_text_file(output, versus_markdown(versus));
    for (const FamilyVersus& family : versus.families) {
      fmt::print("{}: {}{}\n", family.name, name_of(family.verdict),
                 family.ratio ? ", " + times(*family.ratio) : "");
    }
    fmt::print("{}\n", output.string());
  }
  return fail_on_regression && versus.regressed() ? ExitCode::kCheckFailed : ExitCode::kOk;
}

std::string text_of(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) environment_error("{}: cannot be read: {}", path.string(), std::strerror(errno));
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// Makes the README's tables anew, or says with exit code 1 which of them are not what they should be.
ExitCode readme(const fs::path& path, const std::string& published, bool check) {
  const std::string now = text_of(path),
                    updated = updated_readme(now, fs::absolute(path).parent_path(), published);
  const std::string drift = readme_drift(now, updated);
  if (check && !drift.empty()) {
    fmt::print(stderr,
               "report: {}: differs from the published run in {}: edited by hand, or the run was changed; "
               "restore it, "
               "or make it anew with report --readme {}\n",
               path.string(), drift, path.string());
    return ExitCode::kCheckFailed;
  }
  if (!drift.empty()) write_text_file(path, updated);
  fmt::print("{}: {}\n", path.string(),
             drift.empty() ? "is what the published run says" : "made anew: " + drift);
  return ExitCode::kOk;
}

int run(int argc, char** argv) {
  CLI::App app{
      "Reads the results of microbench and of phi2 compare, evaluate, trace and vocabulary and writes a "
      "markdown "
      "report with SVG pictures beside it, of several machines one for each and a page over them; compares "
      "two runs "
      "of microbench; publishes a run; or makes a README's tables from a published one."};
  std::vector<fs::path> inputs, compared;
  fs::path output, publish_run, into = "reports/published", readme_path;
  std::string published;
  bool fail_on_regression = false, check = false;
  const auto* input_option = app.add_option(
      "--input", inputs,
      "Directories with benchmark.json and manifest.json, compare.json, sweep.json, trace.json, or several "
      "of them");
  const auto* compare_option =
      app.add_option("--compare", compared,
                     "Two directories with benchmark.json and manifest.json: base, new")
          ->expected(2)
          ->type_name("BASE NEW");
  const auto* output_option =
      app.add_option("--output", output, "The markdown file to write; pictures get its name with a suffix");
  app.add_flag("--fail-on-regression", fail_on_regression,
               "With --compare: exit code 1 when a family is slower, or a row that passed no longer does");
  const auto* publish_option = app.add_option(
      "--publish", publish_run,
      "A directory with the results of a run, in it or below: copies them, compact, with a report into "
      "a folder named <date>-<cpu>-<revision>; refuses runs of uncommitted or emulated programs");
  const auto* into_option =
      app.add_option("--into", into, "With --publish: the directory that gets the folder")
          ->capture_default_str();
  const auto* readme_option =
      app.add_option("--readme", readme_path,
                     "A README whose tables between published:begin and published:end are made anew");
  const auto* published_option =
      app.add_option("--published", published,
                     "With --readme: the published run to use, relative to it, instead of the one it names");
  const auto* check_option =
      app.add_flag("--check", check, "With --readme: change nothing; exit code 1 when something differs");
  app.set_version_flag("--version",
                       fmt::format("report {} ({}{})", build_info::kVersion, build_info::kGitHash,
                                   build_info::kGitDirty ? ", with uncommitted changes" : ""));
  try {
    app.parse(argc, argv);
    const std::initializer_list<const CLI::Option*> modes = {compare_option, input_option, publish_option,
                                                             readme_option};
    if (std::count_if(modes.begin(), modes.end(), [](const auto* mode) { return !mode->empty(); }) != 1)
      throw CLI::RequiredError("One of --input, --compare, --publish and --readme");
    if (!input_option->empty() && output_option->empty()) throw CLI::RequiredError("--output");
    if (publish_option->empty() && !into_option->empty()) throw CLI::RequiresError("--into", "--publish");
    if (readme_option->empty() && !(published_option->empty() && check_option->empty()))
      throw CLI::RequiresError("--published and --check", "--readme");
    if (input_option->empty() && compare_option->empty() && !output_option->empty())
      throw CLI::RequiresError("--output", "--input or --compare");
    if (compare_option->empty() && fail_on_regression)
      throw CLI::RequiresError("--fail-on-regression", "--compare");
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    fmt::print(stderr, "report: {}; try --help\n", error.what());
    return static_cast<int>(ExitCode::kUsage);
  }
  try {
    if (!compared.empty()) return static_cast<int>(compare(compared, output, fail_on_regression));
    if (!publish_run.empty()) {
      fmt::print("{}\n", publish(publish_run, into, build_info::kVersion).string());
      return static_cast<int>(ExitCode::kOk);
    }
    if (!readme_path.empty()) return static_cast<int>(readme(readme_path, published, check));
    report_on(inputs, output);
    return static_cast<int>(ExitCode::kOk);
  } catch (const Error& error) {
    fmt::print(stderr, "report: {}\n", error.what());
    return static_cast<int>(error.code());
  } catch (const std::exception& error) {
    fmt::print(stderr, "report: {}\n", error.what());
    return static_cast<int>(ExitCode::kEnvironment);
  }
}

}  // namespace
}  // namespace trisect::report

int main(int argc, char** argv) { return trisect::report::run(argc, argv); }
