// The command line.
#pragma once

#include <string>
#include <vector>

#include "microbench/harness/plan.hpp"

namespace trisect::microbench {

struct Options {
  std::string shapes = "phi2";
  std::string device = "cpu";
  std::string out;    ///< directory, "" for none
  std::string turns;  ///< stem of two files, "" for none
  int threads = 0;    ///< 0: see pin_threads()
  bool help = false, version = false;

  // Flags of Google Benchmark that mean the whole run, while the library would apply them to each group.
  bool list = false;
  Repetitions repetitions;
  std::string benchmark_out;  ///< file, "" for none

  std::vector<std::string> library_flags;  ///< the other --benchmark_* flags
};

/// Throws Error(kUsage) for what is unknown or impossible.
Options parse_options(int argc, const char* const* argv);

/// Text of --help, without Google Benchmark's own.
std::string help_text();

}  // namespace trisect::microbench
