// What kernels move, as an emulated device counts it. Needs CUDAEMU_STATS to name the file that the emulator
// appends a line to for every launch; on a real device, profilers count (docs/profiling.md).
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "kernels/core/cuda/stream.hpp"
#include "kernels/core/op.hpp"

namespace trisect::testing {

inline constexpr double kSector = 32;

/// Sums over the launches of one call.
struct Traffic {
  int launches = 0;
  double dram_bytes = 0;  // different sectors touched in each launch
  double requested = 0, fetched = 0;
  double shared_accesses = 0, replays = 0, local_bytes = 0;
};

class CudaTraffic : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!why_no_cuda().empty()) GTEST_SKIP() << why_no_cuda();
    if (std::getenv("CUDAEMU_STATS") == nullptr) GTEST_SKIP() << "CUDAEMU_STATS names no file: not emulated";
    path_ = std::getenv("CUDAEMU_STATS");
  }

  template <class Op>
  Traffic measure(const typename Op::Problem& problem, std::string_view name) {
    const auto variants = Op::variants();
    const auto variant =
        std::find_if(variants.begin(), variants.end(), [&](const auto& one) { return one.name == name; });
    Arena arena(1);
    Op::make(problem, arena);
    arena.begin_device(0, cuda_memory());
    const auto args = Op::make(problem, arena);
    variant->run(problem, args);  // counters and scratch memory are made
    cuda::current_stream().wait();
    const auto before = std::filesystem::file_size(path_);
    variant->run(problem, args);
    cuda::current_stream().wait();
    return read_from(static_cast<std::streamoff>(before));
  }

 private:
  Traffic read_from(std::streamoff begin) const {
    std::ifstream file(path_);
    file.seekg(begin);
    Traffic sum;
    for (std::string line; std::getline(file, line);) {
      const auto launch = nlohmann::json::parse(line);
      if (!launch.contains("kernel")) continue;
      ++sum.launches;
      sum.dram_bytes += kSector * launch.at("unique_sectors").get<double>();
      sum.requested += launch.at("global_bytes_requested").get<double>();
      sum.fetched += kSector * launch.at("global_sectors").get<double>();
      sum.shared_accesses += launch.at("shared_requests").get<double>();
      sum.replays += launch.at("shared_bank_replays").get<double>();
      sum.local_bytes += launch.at("local_bytes").get<double>();
    }
    return sum;
  }

  std::filesystem::path path_;
};

}  // namespace trisect::testing
