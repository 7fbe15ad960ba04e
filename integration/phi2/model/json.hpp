// Small JSON files from strangers: configurations, indices, tensor headers.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace trisect::phi2 {

/// Parses UTF-8 JSON. Repeated keys, depth beyond 32 and anything after the value are errors:
/// Error(kEnvironment) that begins with `file`.
nlohmann::json parse_json(std::string_view text, const std::filesystem::path& file);

/// Reads and parses a file of at most 100 MB; Error(kEnvironment) with the path when it cannot be read.
nlohmann::json load_json(const std::filesystem::path& file);

/// A foreign name as it can stand in an error message: in quotes, escaped, one line, not endless.
std::string in_quotes(std::string_view name);

}  // namespace trisect::phi2
