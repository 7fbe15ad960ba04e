// What a run leaves behind.
#pragma once

#include <filesystem>

#include "microbench/harness/manifest.hpp"
#include "microbench/harness/options.hpp"
#include "microbench/harness/reporter.hpp"

namespace trisect::microbench {

/// benchmark.json and manifest.json in --out, and --benchmark_out: each whole at any moment, and the two
/// readable together, because the manifest announces a row before there are samples of it. Written once
/// before the first group too, to find out in time that they can be.
class ResultFiles {
 public:
  /// Creates the directory. Throws Error(kEnvironment) naming it.
  explicit ResultFiles(const Options& options);

  /// Everything. A manifest is marked as interrupted until the run is `finished`. Throws Error(kEnvironment)
  /// naming the file.
  void write(Reporter& reporter, Manifest& manifest, bool finished) const;
  /// The samples alone.
  void write_samples(Reporter& reporter) const;

 private:
  std::filesystem::path directory_, library_file_;
};

}  // namespace trisect::microbench
