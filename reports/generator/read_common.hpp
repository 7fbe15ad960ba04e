// Fields that the kinds of result files share. The files have passed their schema.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "reports/generator/json_file.hpp"
#include "reports/generator/results.hpp"

namespace trisect::report {

using Json = nlohmann::json;

/// Empty for null and for "unknown".
std::optional<double> known_number(const Json& value);

/// `path` as the report names it.
InputFile input_file(const JsonFile& file, const std::filesystem::path& report_directory);

Origin read_origin(const Json& json, std::string program);
Model read_model(const Json& json);

MicrobenchRun read_microbench(const std::filesystem::path& directory,
                              const std::filesystem::path& report_directory);
CompareRun read_compare(const std::filesystem::path& directory,
                        const std::filesystem::path& report_directory);
SweepRun read_sweep(const std::filesystem::path& directory, const std::filesystem::path& report_directory);
TraceRun read_trace(const std::filesystem::path& directory, const std::filesystem::path& report_directory);

inline constexpr char kBenchmarkFile[] = "benchmark.json";
inline constexpr char kManifestFile[] = "manifest.json";
inline constexpr char kCompareFile[] = "compare.json";
inline constexpr char kSweepFile[] = "sweep.json";
inline constexpr char kTraceFile[] = "trace.json";

}  // namespace trisect::report
