#include "integration/runner/measured.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <numeric>
#include <optional>
#include <string>

#include "kernels/core/recording.hpp"
#include "kernels/dense/gemm.hpp"

namespace trisect::runner {
namespace {

constexpr int kGemmRuns = 5;

StageSeconds difference(const StageSeconds& later, const StageSeconds& earlier) {
  StageSeconds result;
  std::transform(later.begin(), later.end(), earlier.begin(), result.begin(), std::minus<>());
  return result;
}

}  // namespace

MeasuredGeneration generate_measured(phi2::Engine& engine, std::span<const std::int32_t> prompt,
                                     const phi2::GenerateOptions& options,
                                     const std::function<void(std::int32_t)>& on_token) {
  MeasuredGeneration measured;
  const ProfiledPart profiled(engine.weights().device == Device::kCuda);
  const StageSeconds before = engine.clock().seconds();
  std::optional<StageSeconds> prefilled;  // when the first token had been chosen
  measured.result = phi2::generate(engine, prompt, options, [&](std::int32_t id) {
    if (!prefilled) prefilled = engine.clock().seconds();
    const vattention::KvUsage kv = engine.memory().kv;
    if (kv.committed + kv.used >= measured.kv.committed + measured.kv.used) measured.kv = kv;
    if (on_token) on_token(id);
  });
  const StageSeconds after = engine.clock().seconds();
  measured.prefill_stages = difference(prefilled.value_or(after), before);
  measured.decode_stages = difference(after, prefilled.value_or(after));
  return measured;
}

std::size_t peak_rss_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stoull(line.substr(6)) * 1024;
  }
  return 0;
}

std::int64_t team_page_faults() {
  std::int64_t faults = 0;
#pragma omp parallel reduction(+ : faults)
  {
    rusage usage{};
    if (getrusage(RUSAGE_THREAD, &usage) == 0) faults += usage.ru_minflt + usage.ru_majflt;
  }
  return faults;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double sum(const std::vector<double>& values) { return std::accumulate(values.begin(), values.end(), 0.0); }

double quantile(std::vector<double> samples, double share) {
  std::sort(samples.begin(), samples.end());
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(samples.size())));
  return samples[std::max<std::size_t>(rank, 1) - 1];
}

double prefill_flops(const phi2::Config& config, std::size_t tokens) {
  const double hidden = config.hidden, intermediate = config.intermediate;
  const double layer = hidden * (3 * hidden + intermediate) + (hidden + intermediate) * hidden;
  return 2 * (static_cast<double>(tokens) * config.layers * layer + hidden * config.vocab);
}

double packed_gemm_flops(const phi2::Engine& engine, int rows) {
  const phi2::LayerWeights& layer = engine.weights().layers.front();
  const View& w = layer.qkvh.bytes() > layer.out.bytes() ? layer.qkvh : layer.out;
  const dense::Gemm::Problem problem{rows, static_cast<int>(w.rows), static_cast<int>(w.cols), w.dtype};
  const auto& gemm = variant_named<dense::Gemm>("onednn_packed");
  if (!gemm.available(problem)) return 0;
  const Buffer x(Dtype::kF32, rows, w.rows), y(Dtype::kF32, rows, w.cols);
  fill_normal(x.view(), 1, 1.0f);
  dense::Gemm::Args args{x.view(), w, {}, y.view(), false, nullptr};
  args.prepared = gemm.prepare(problem, args);
  gemm.run(problem, args);
  std::vector<double> seconds;
  for (int i = 0; i < kGemmRuns; ++i) {
    const auto start = std::chrono::steady_clock::now();
    gemm.run(problem, args);
    seconds.push_back(seconds_since(start));
  }
  return dense::Gemm::cost(problem).flops / median(seconds);
}

}  // namespace trisect::runner
