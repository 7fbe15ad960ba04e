#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <sstream>

#include "kernels/core/error.hpp"
#include "reports/generator/headline.hpp"
#include "reports/generator/markdown.hpp"
#include "reports/generator/publish.hpp"
#include "reports/generator/questions.hpp"

namespace trisect::report {
namespace {

namespace fs = std::filesystem;

constexpr char kRun[] = "<!-- published:run ", kBegin[] = "<!-- published:begin ",
               kEnd[] = "<!-- published:end ", kClose[] = " -->";

/// FNV-1a (64 bits) over the names and bytes of every file, in the order of their names.
std::string hash_of(const fs::path& directory) {
  std::map<std::string, fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    if (entry.is_regular_file())
      files[entry.path().lexically_relative(directory).generic_string()] = entry.path();
  }
  std::uint64_t hash = 0xcbf29ce484222325;
  const auto add = [&](std::string_view bytes) {
    for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  };
  for (const auto& [name, path] : files) {
    std::ifstream stream(path, std::ios::binary);
    add(name + '\n');
    add(std::string{std::istreambuf_iterator<char>(stream), {}});
  }
  return fmt::format("{:016x}", hash);
}

/// The rest of a marker's line, or nothing where `line` is no such marker.
std::optional<std::string> marked(const std::string& line, const std::string& marker) {
  if (!line.starts_with(marker) || !line.ends_with(kClose) || line.size() < marker.size() + sizeof(kClose))
    return std::nullopt;
  return line.substr(marker.size(), line.size() - marker.size() - sizeof(kClose) + 1);
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::string source_line(const Results& results, const std::string& directory) {
  const Origin& origin = *results.origins().front();
  std::vector<std::string> revisions;  // parts that take long may be older; the report says which
  for (const Origin* each : results.origins()) {
    const std::string revision = escape(each->build.git_hash.substr(0, 7));
    if (std::find(revisions.begin(), revisions.end(), revision) == revisions.end()) revisions.push_back(revision);
  }
  return fmt::format("From the [published run]({}/report.md) of {} on {}, {} threads, {} {}.\n\n",
                     escape_url(directory), escape(origin.started_utc.substr(0, 10)),
                     escape(origin.environment.cpu),
                     origin.environment.threads ? fmt::format("{}", *origin.environment.threads) : "unknown",
                     revisions.size() == 1 ? "revision" : "revisions", fmt::join(revisions, ", "));
}

std::string table_named(const std::string& name, const Results& results, const std::string& directory) {
  const auto layers = layers_of(results);
  const std::map<std::string, std::function<std::string()>> tables = {
      {"source", [&] { return source_line(results, directory); }},
      {"larosa", [&] { return larosa_headline(results, layers); }},
      {"vattention", [&] { return vattention_headline(results); }},
      {"adaptivocab", [&] { return adaptivocab_headline(results); }},
      {"together", [&] { return answer_together(results); }},
  };
  const auto found = tables.find(name);
  if (found == tables.end()) {
    environment_error(
        "the README's marker published:begin {} is unknown: use source, larosa, vattention, adaptivocab or "
        "together",
        name);
  }
  const std::string table = found->second();
  return table.empty() ? "Not part of this run.\n\n" : table;
}

}  // namespace

std::string updated_readme(const std::string& readme, const fs::path& beside, const std::string& directory) {
  const std::vector<std::string> lines = lines_of(readme);
  std::string published = directory;
  for (const std::string& line : lines) {
    if (const auto run = marked(line, kRun); run && published.empty())
      published = run->substr(0, run->find(' '));
  }
  if (published.empty())
    environment_error("the README has no line '{}DIRECTORY HASH{}': add one, and name the run", kRun, kClose);
  const fs::path root = beside / published;
  if (!fs::is_directory(root)) environment_error("{}: no such published run", root.string());
  const Results results = read_results(result_directories(root), root);
  std::string out;
  bool run_seen = false;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (marked(lines[i], kRun)) {
      out += kRun + published + " " + hash_of(root) + kClose + "\n";
      run_seen = true;
      continue;
    }
    out += lines[i] + "\n";
    const auto name = marked(lines[i], kBegin);
    if (!name) continue;
    const auto end =
        std::find(lines.begin() + static_cast<std::ptrdiff_t>(i), lines.end(), kEnd + *name + kClose);
    if (end == lines.end()) environment_error("the README's marker published:begin {} has no end", *name);
    out += "\n" + table_named(*name, results, published) + *end + "\n";
    i = static_cast<std::size_t>(end - lines.begin());
  }
  if (!run_seen)
    environment_error("the README has no line '{}DIRECTORY HASH{}': add one, and name the run", kRun, kClose);
  return out;
}

std::string readme_drift(const std::string& readme, const std::string& updated) {
  if (readme == updated) return "";
  const auto parts = [](const std::string& text) {
    std::map<std::string, std::string> found;
    std::string name;
    for (const std::string& line : lines_of(text)) {
      if (const auto begin = marked(line, kBegin)) name = *begin;
      const std::string key = marked(line, kRun) ? "the published files"
                              : name.empty()     ? "the text"
                                                 : "table " + name;
      found[key] += line + "\n";
      if (marked(line, kEnd)) name.clear();
    }
    return found;
  };
  const auto now = parts(readme);
  std::string drift;
  for (const auto& [key, text] : parts(updated)) {
    const auto found = now.find(key);
    if (found == now.end() || found->second != text) drift += (drift.empty() ? "" : ", ") + key;
  }
  return drift.empty() ? "the text" : drift;
}

}  // namespace trisect::report
