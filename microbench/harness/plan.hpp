// What is decided before anything is measured: how often, on how many copies, under which name. All of it
// follows from declared costs and nominal constants, never from a probe, so that names and work are the same
// in every run.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "kernels/core/op.hpp"

namespace trisect::microbench {

inline constexpr int kRepetitions = 9, kRepetitionMs = 50;

/// How often a row is timed, and how long each time on a nominal device: a CPU of 20 GB/s and 200 GFLOP/s, a GPU of
/// 1.5 TB/s and 100 TFLOP/s.
struct Repetitions {
  int count = kRepetitions;
  int milliseconds = kRepetitionMs;
};

/// Calls in one repetition: about so many milliseconds on the nominal device, at most 500; one where it is emulated.
/// References are slow and only there to be compared with: a fiftieth of that. Rounded down to 1, 2 or 5
/// times a power of ten. `seconds` is what a call takes on the nominal CPU where its costs do not tell: an op
/// that looks things up or sorts says so in nominal_seconds(problem).
std::int64_t iterations(const Cost& cost, bool is_reference, int milliseconds = kRepetitionMs,
                        Device device = Device::kCpu, double seconds = 0);

/// Above this the reference judges, but is not timed itself.
inline constexpr double kReferenceFlopLimit = 2e9;

/// How many copies of inputs and weights to rotate through, and whether the weights read from them exceed
/// three times the last-level cache together.
struct Copies {
  std::size_t count = 1;
  bool cold = false;
};

/// Of one copy: the bytes of its inputs and weights, and the bytes that one call reads. What a call skips
/// stays out of the cache too, so it does not count towards coldness.
/// Without weights: copies that stay hot, 8 or what 512 KiB hold, up to 64, so that no branch predictor
/// learns the inputs by heart: it knows eight rows of 2560 values, and std::nth_element is then three times
/// faster. With weights: as many as make them cold, three at least (a variant may read less than the declared
/// cost); three, and not cold, if that would take more than `memory_limit`.
Copies plan_copies(double bytes_read, std::size_t input_bytes, std::size_t weight_bytes,
                   std::size_t cache_bytes, std::size_t memory_limit);

/// The name Google Benchmark gives to "<op>/<variant>/<problem>".
std::string benchmark_name(std::string_view base, std::int64_t iterations, int repetitions);

}  // namespace trisect::microbench
