// Files that the runner reads and writes beside models.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace trisect::runner {

/// A text that comes with Trisect, such as calibration.txt: in $TRISECT_TEXTS, the source tree or
/// ../share/trisect/texts beside the program. Throws Error(kEnvironment) with the places.
std::filesystem::path find_text(std::string_view name);

/// The prompts that compare takes where none are named: in the source tree or ../share/trisect/prompts.
std::filesystem::path find_questions();

/// All bytes of a file or of standard input. Throws Error(kEnvironment).
std::string read_text(const std::filesystem::path& path);
std::string read_standard_input();

/// Throws Error(kEnvironment) when no file could be made there: to be known before minutes of measuring.
void require_writable(const std::filesystem::path& path);

/// A JSON file to be written when there is something to write; "" means none is wanted. Construction requires
/// that it can be written.
class ResultFile {
 public:
  explicit ResultFile(std::filesystem::path path) : path_(std::move(path)) {
    if (!path_.empty()) require_writable(path_);
  }

  /// Whole at every moment. Bytes that are not UTF-8 become U+FFFD.
  void write(const nlohmann::ordered_json& content) const;

 private:
  std::filesystem::path path_;
};

}  // namespace trisect::runner
