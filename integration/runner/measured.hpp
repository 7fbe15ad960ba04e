// A generation with what it cost, and what a process has cost so far.
#pragma once

#include <array>
#include <chrono>
#include <vector>

#include "integration/phi2/engine/generate.hpp"

namespace trisect::runner {

using StageSeconds = std::array<double, phi2::kStageNames.size()>;

struct MeasuredGeneration {
  phi2::Generation result;
  StageSeconds prefill_stages{}, decode_stages{};
  vattention::KvUsage kv{};  ///< when the most was committed
};

/// See phi2::generate().
MeasuredGeneration generate_measured(phi2::Engine& engine, std::span<const std::int32_t> prompt,
                                     const phi2::GenerateOptions& options,
                                     const std::function<void(std::int32_t)>& on_token = {});

/// The most memory this process ever had, by the kernel's account (VmHWM); 0 when unknown.
std::size_t peak_rss_bytes();

/// Page faults of the calling thread's team so far, minor and major. Memory that one of them commits by a
/// system call counts too.
std::int64_t team_page_faults();

double seconds_since(std::chrono::steady_clock::time_point start);

double sum(const std::vector<double>& values);
/// The value that a share of the others does not exceed (nearest rank); the samples must not be empty.
double quantile(std::vector<double> samples, double share);
inline double median(const std::vector<double>& samples) { return quantile(samples, 0.5); }

/// Operations of the products with weights in a prefill, the head for its last token only.
double prefill_flops(const phi2::Config& config, std::size_t tokens);

/// What oneDNN reaches with the largest matrix of a layer in its own packed layout, in operations a second; 0
/// where it has no product for the weights' type. Needs a second copy of that matrix.
double packed_gemm_flops(const phi2::Engine& engine, int rows);

}  // namespace trisect::runner
