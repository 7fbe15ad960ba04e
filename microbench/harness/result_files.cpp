#include "microbench/harness/result_files.hpp"

#include "kernels/core/atomic_file.hpp"
#include "kernels/core/interrupt.hpp"

namespace trisect::microbench {

ResultFiles::ResultFiles(const Options& options)
    : directory_(options.out), library_file_(options.benchmark_out) {
  if (directory_.empty()) return;
  std::error_code error;
  std::filesystem::create_directories(directory_, error);
  if (error) environment_error("cannot create {}: {}", directory_.string(), error.message());
}

void ResultFiles::write(Reporter& reporter, Manifest& manifest, bool finished) const {
  manifest.finished_utc = utc_now();
  manifest.interrupted = interrupted() || !finished;
  if (!directory_.empty()) write_atomically(directory_ / "manifest.json", manifest.json());
  write_samples(reporter);
}

void ResultFiles::write_samples(Reporter& reporter) const {
  if (directory_.empty() && library_file_.empty()) return;
  const std::string json = reporter.json();
  if (!library_file_.empty()) write_atomically(library_file_, json);
  if (!directory_.empty()) write_atomically(directory_ / "benchmark.json", json);
}

}  // namespace trisect::microbench
