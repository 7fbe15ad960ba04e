// Result files that are whole at every moment.
#pragma once

#include <filesystem>
#include <string_view>

namespace trisect {

/// Writes beside `path` and renames, so that a reader, or a program killed in between, sees the old content
/// or the new. What is not a regular file (a pipe, /dev/stdout) is written in place. Throws
/// Error(kEnvironment) naming the path and the cause.
void write_atomically(const std::filesystem::path& path, std::string_view content);

}  // namespace trisect
