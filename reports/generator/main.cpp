// report --input DIR... --output report.md
#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>

#include "build_info.hpp"
#include "kernels/core/error.hpp"
#include "reports/generator/gnuplot.hpp"
#include "reports/generator/report.hpp"

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

int run(int argc, char** argv) {
  CLI::App app{
      "Reads the results of microbench and phi2 compare and writes a markdown report with SVG pictures "
      "beside it."};
  std::vector<fs::path> inputs;
  fs::path output;
  app.add_option("--input", inputs,
                 "Directories with benchmark.json and manifest.json, compare.json, or all of them")
      ->required();
  app.add_option("--output", output, "The markdown file to write; pictures get its name with a suffix")
      ->required();
  app.set_version_flag("--version",
                       fmt::format("report {} ({}{})", build_info::kVersion, build_info::kGitHash,
                                   build_info::kGitDirty ? ", with uncommitted changes" : ""));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    fmt::print(stderr, "report: {}; try --help\n", error.what());
    return static_cast<int>(ExitCode::kUsage);
  }
  try {
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
