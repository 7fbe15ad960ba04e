// Reading a result file: whole, hashed, and checked against its schema before anyone looks at a field.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace trisect::report {

struct JsonFile {
  std::filesystem::path path;
  std::string fnv1a64;  ///< FNV-1a (64 bits) of the file's bytes, 16 hexadecimal digits
  nlohmann::json json;
};

/// Throws Error(kEnvironment), one line with the file and the field, when the file cannot be read, is not
/// JSON, or does not follow reports/schema/<schema>.schema.json.
JsonFile read_json_file(const std::filesystem::path& path, std::string_view schema);

}  // namespace trisect::report
