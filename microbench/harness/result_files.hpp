// What a run leaves behind.
#pragma once

#include <filesystem>

#include "microbench/harness/manifest.hpp"
#include "microbench/harness/options.hpp"
#include "microbench/harness/reporter.hpp"

namespace trisect::microbench {

/// benchmark.json and manifest.json in --out, and --benchmark_out. Written after every group, each whole at
/// any moment; and once before the first group, to find out in time that they can be.
class ResultFiles {
 public:
  /// Creates the directory. Throws Error(kEnvironment) naming it.
  explicit ResultFiles(const Options& options);

  /// Throws Error(kEnvironment) naming the file.
  void write(const Reporter& reporter, Manifest& manifest) const;

 private:
  std::filesystem::path directory_, library_file_;
};

}  // namespace trisect::microbench
