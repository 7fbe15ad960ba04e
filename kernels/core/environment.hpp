// What a result was measured with and on: written beside every number.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace trisect {

/// The program: revision, compiler, flags.
struct Build {
  std::string version, git_hash;
  bool git_dirty = false;
  std::string compiler, flags, build_type;
  std::string sanitizers;  ///< "" for none
};
Build build();

/// The machine at this moment. Text that cannot be read is "unknown"; a number that cannot is zero.
struct Environment {
  std::string host;  ///< name of the machine: what tells two alike apart
  std::string cpu;
  int processors = 0;  ///< online
  int threads = 0;     ///< of the team
  bool threads_pinned = false;
  std::string governor;  ///< of processor 0
  std::string boost, smt, aslr;
  std::vector<double> load_average;  ///< 1, 5 and 15 minutes; empty when unknown
  std::uint64_t memory_total_bytes = 0;
  std::string kernel, container;  ///< container: "none", or what runs it
  std::size_t llc_bytes = 0;
  std::string onednn, highway;
  std::string gpu;   ///< models, or "none"
  std::string cuda;  ///< of the build
};

/// Call it after pin_threads().
Environment read_environment();

/// Now, as "2026-01-31T12:00:00Z".
std::string utc_now();

/// What the kernel says could be had without swapping; 0 when unknown.
std::uint64_t memory_available_bytes();

}  // namespace trisect
