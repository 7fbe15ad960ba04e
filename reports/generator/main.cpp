// report --input DIR... --output report.md
// report --compare BASE NEW [--output comparison.md] [--fail-on-regression]
#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>

#include "build_info.hpp"
#include "kernels/core/error.hpp"
#include "reports/generator/gnuplot.hpp"
#include "reports/generator/report.hpp"
#include "reports/generator/units.hpp"
#include "reports/generator/versus.hpp"

namespace trisect::report {
namespace {

namespace fs = std::filesystem;

struct DrawnPicture {
  std::string file, svg;
};

void write_file(const fs::path& path, const std::string& text) {
  std::ofstream stream(path, std::ios::binary);
  stream << text;
  stream.close();
  if (!stream) environment_error("{}: cannot be written: {}", path.string(), std::strerror(errno));
}

/// Why there are no pictures, or nothing.
std::string draw(const std::vector<Picture>& pictures, std::vector<DrawnPicture>& drawn) {
  try {
    for (const Picture& picture : pictures) {
      const auto svg = run_gnuplot(picture.script);
      if (!svg) return "gnuplot is not installed";
      drawn.push_back({picture.file, *svg});
    }
    return "";
  } catch (const Error& error) {
    drawn.clear();
    return error.what();
  }
}

void write_report(const std::vector<fs::path>& inputs, const fs::path& output) {
  const fs::path directory = fs::absolute(output).parent_path();
  const Results results = read_results(inputs, directory);
  ReportOptions options{build_info::kVersion, output.stem().string(), ""};
  Report report = compose(results, options);
  std::vector<DrawnPicture> drawn;
  options.no_pictures = draw(report.pictures, drawn);
  if (!options.no_pictures.empty()) {
    fmt::print(stderr, "report: no pictures: {}\n", options.no_pictures);
    report = compose(results, options);
  }

  std::error_code failed;
  fs::create_directories(directory, failed);
  for (const DrawnPicture& picture : drawn) write_file(directory / picture.file, picture.svg);
  write_file(output, report.markdown);
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
    write_file(output, versus_markdown(versus));
    for (const FamilyVersus& family : versus.families) {
      fmt::print("{}: {}{}\n", family.name, name_of(family.verdict),
                 family.ratio ? ", " + times(*family.ratio) : "");
    }
    fmt::print("{}\n", output.string());
  }
  return fail_on_regression && versus.regressed() ? ExitCode::kCheckFailed : ExitCode::kOk;
}

int run(int argc, char** argv) {
  CLI::App app{
      "Reads the results of microbench and of phi2 compare, evaluate and trace and writes a markdown report "
      "with SVG pictures "
      "beside it; or compares two runs of microbench."};
  std::vector<fs::path> inputs, compared;
  fs::path output;
  bool fail_on_regression = false;
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
  app.set_version_flag("--version",
                       fmt::format("report {} ({}{})", build_info::kVersion, build_info::kGitHash,
                                   build_info::kGitDirty ? ", with uncommitted changes" : ""));
  try {
    app.parse(argc, argv);
    if (compare_option->empty() == input_option->empty())
      throw CLI::RequiredError("One of --input and --compare");
    if (compare_option->empty() && output_option->empty()) throw CLI::RequiredError("--output");
    if (compare_option->empty() && fail_on_regression)
      throw CLI::RequiresError("--fail-on-regression", "--compare");
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    fmt::print(stderr, "report: {}; try --help\n", error.what());
    return static_cast<int>(ExitCode::kUsage);
  }
  try {
    if (!compared.empty()) return static_cast<int>(compare(compared, output, fail_on_regression));
    write_report(inputs, output);
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
