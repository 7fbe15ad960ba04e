// manifest.json: what Google Benchmark's file does not say. Checks, costs, bandwidth probes, environment.
#pragma once

#include <string>
#include <vector>

#include "kernels/core/bandwidth_probe.hpp"
#include "kernels/core/device.hpp"
#include "kernels/core/environment.hpp"
#include "microbench/harness/group.hpp"
#include "microbench/harness/shapes.hpp"

namespace trisect::microbench {

struct Manifest {
  struct Probed {
    std::string group;
    double before_gbps = 0, after_gbps = 0;
  };

  std::vector<std::string> command;
  std::string started_utc, finished_utc;
  bool interrupted = false;  ///< or not finished yet
  std::string pair;          ///< name shared with the run that it took turns with, "" for none
  Build build;
  Environment environment;
  CudaFacts accelerator;  ///< without a name where no CUDA row was asked for
  std::string shapes_name, shapes_fnv1a64;
  std::size_t probe_bytes = 0;
  std::vector<BandwidthProbe::Kernel> probe_kernels;
  std::vector<Probed> groups;
  std::vector<Row> rows;  ///< of those groups

  std::string json() const;
};

}  // namespace trisect::microbench
