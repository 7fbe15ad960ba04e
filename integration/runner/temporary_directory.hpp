// A directory of the process's own, gone when it is.
#pragma once

#include <filesystem>
#include <string>

namespace trisect::runner {

class TemporaryDirectory {
 public:
  /// Throws Error(kEnvironment).
  TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory();

  std::filesystem::path operator/(const char* name) const { return std::filesystem::path(path_) / name; }

 private:
  std::string path_;
};

}  // namespace trisect::runner
