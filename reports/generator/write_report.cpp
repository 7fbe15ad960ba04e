#include "reports/generator/write_report.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>

#include "kernels/core/error.hpp"
#include "reports/generator/gnuplot.hpp"
#include "reports/generator/machines.hpp"
#include "reports/generator/report.hpp"

namespace trisect::report {
namespace {

namespace fs = std::filesystem;

struct DrawnPicture {
  std::string file, svg;
};

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

std::string write_one(const Results& results, const fs::path& output, const std::string& version) {
  ReportOptions options{version, output.stem().string(), ""};
  Report report = compose(results, options);
  std::vector<DrawnPicture> drawn;
  options.no_pictures = draw(report.pictures, drawn);
  if (!options.no_pictures.empty()) report = compose(results, options);
  for (const DrawnPicture& picture : drawn)
    write_text_file(fs::absolute(output).parent_path() / picture.file, picture.svg);
  write_text_file(output, report.markdown);
  return options.no_pictures;
}

}  // namespace

void write_text_file(const fs::path& path, const std::string& text) {
  std::ofstream stream(path, std::ios::binary);
  stream << text;
  stream.close();
  if (!stream) environment_error("{}: cannot be written: {}", path.string(), std::strerror(errno));
}

std::string write_report(const Results& results, const fs::path& output, const std::string& version) {
  std::error_code failed;
  fs::create_directories(fs::absolute(output).parent_path(), failed);
  const std::vector<Machine> machines = machines_of(results);
  if (machines.size() == 1) return write_one(results, output, version);
  std::string no_pictures;
  std::vector<std::string> reports;
  for (const Machine& machine : machines) {
    reports.push_back(fmt::format("{}-{}.md", output.stem().string(), reports.size() + 1));
    const std::string why = write_one(machine.results, output.parent_path() / reports.back(), version);
    if (!why.empty()) no_pictures = why;
  }
  write_text_file(output, machines_page(machines, reports, version));
  return no_pictures;
}

}  // namespace trisect::report
