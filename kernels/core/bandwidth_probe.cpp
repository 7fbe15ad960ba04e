#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/core/bandwidth_probe.cpp"
#include <hwy/foreach_target.h>
//
#include <hwy/cache_control.h>
#include <hwy/highway.h>
#include <omp.h>

#include <algorithm>
#include <chrono>

#include "kernels/core/bandwidth_probe.hpp"
#include "kernels/core/threads.hpp"

// A kernel adds up `count` words, a multiple of 4096 of them, so that no read can be optimised away.

HWY_BEFORE_NAMESPACE();
namespace trisect::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using Words = hn::ScalableTag<std::uint64_t>;

/// `streams` places at once: more pages open, more hardware prefetchers at work.
template <std::size_t kStreams, std::size_t kPrefetchBytes>
std::uint64_t read_streams(const std::uint64_t* words, std::size_t count) {
  const Words d;
  const std::size_t lanes = hn::Lanes(d), part = count / kStreams;
  constexpr std::size_t kUnroll = 8;
  auto a = hn::Zero(d), b = hn::Zero(d), c = hn::Zero(d), e = hn::Zero(d);
  for (std::size_t i = 0; i < part; i += kUnroll * lanes) {
    for (std::size_t s = 0; s < kStreams; ++s) {
      const std::uint64_t* at = words + s * part + i;
      if constexpr (kPrefetchBytes > 0) {
        for (std::size_t line = 0; line < kUnroll * lanes; line += 8)
          hwy::Prefetch(at + kPrefetchBytes / 8 + line);
      }
      a = hn::Add(a, hn::Add(hn::Load(d, at), hn::Load(d, at + lanes)));
      b = hn::Add(b, hn::Add(hn::Load(d, at + 2 * lanes), hn::Load(d, at + 3 * lanes)));
      c = hn::Add(c, hn::Add(hn::Load(d, at + 4 * lanes), hn::Load(d, at + 5 * lanes)));
      e = hn::Add(e, hn::Add(hn::Load(d, at + 6 * lanes), hn::Load(d, at + 7 * lanes)));
    }
  }
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(a, b), hn::Add(c, e))));
}

std::uint64_t read_simd(const std::uint64_t* words, std::size_t count) {
  return read_streams<1, 0>(words, count);
}
std::uint64_t read_prefetch(const std::uint64_t* words, std::size_t count) {
  return read_streams<1, 2048>(words, count);
}
std::uint64_t read_four(const std::uint64_t* words, std::size_t count) {
  return read_streams<4, 0>(words, count);
}

}  // namespace trisect::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace trisect {
namespace {

constexpr std::size_t kUnit = 4096;  // words

HWY_EXPORT(read_simd);
HWY_EXPORT(read_prefetch);
HWY_EXPORT(read_four);

std::uint64_t read_plain(const std::uint64_t* words, std::size_t count) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < count; ++i) sum += words[i];
  return sum;
}

struct NamedRead {
  std::string_view name;
  std::uint64_t (*read)(const std::uint64_t*, std::size_t);
};
constexpr NamedRead kReads[] = {
    {"plain", read_plain},
    {"simd",
     [](const std::uint64_t* words, std::size_t n) { return HWY_DYNAMIC_DISPATCH(read_simd)(words, n); }},
    {"simd_prefetch",
     [](const std::uint64_t* words, std::size_t n) { return HWY_DYNAMIC_DISPATCH(read_prefetch)(words, n); }},
    {"simd_4_streams",
     [](const std::uint64_t* words, std::size_t n) { return HWY_DYNAMIC_DISPATCH(read_four)(words, n); }},
};

/// Calls work(first word, words) on every thread of the team, for its share.
template <class Work>
void on_team(const Buffer& buffer, Work work) {
  const long words = static_cast<long>(buffer.bytes() / sizeof(std::uint64_t) / kUnit * kUnit);
#pragma omp parallel
  {
    const Range mine = split(words, omp_get_thread_num(), omp_get_num_threads(), kUnit);
    work(buffer.as<std::uint64_t>() + mine.first, static_cast<std::size_t>(mine.last - mine.first));
  }
}

}  // namespace

BandwidthProbe::BandwidthProbe(std::size_t bytes) : buffer_(std::max(bytes, kUnit * sizeof(std::uint64_t))) {
  // Untouched pages would all be the same page of zeros; ones keep the sums from overflowing.
  on_team(buffer_, [](std::uint64_t* words, std::size_t count) { std::fill_n(words, count, 1); });
  for (std::size_t i = 0; i < std::size(kReads); ++i) {
    kernels_.push_back({kReads[i].name, measure(i, 3)});
    if (kernels_[i].gbps > kernels_[best_].gbps) best_ = i;
  }
}

double BandwidthProbe::measure(std::size_t kernel, int passes) const {
  using Clock = std::chrono::steady_clock;
  const auto read = kReads[kernel].read;
  double best = 0;
  for (int pass = 0; pass < passes; ++pass) {
    const Clock::time_point start = Clock::now();
    on_team(buffer_, [read](const std::uint64_t* words, std::size_t count) {
      volatile std::uint64_t sink = read(words, count);
      static_cast<void>(sink);
    });
    const double ns = static_cast<double>(std::chrono::nanoseconds(Clock::now() - start).count());
    best = std::max(best, static_cast<double>(buffer_.bytes()) / std::max(ns, 1.0));
  }
  return best;
}

}  // namespace trisect
#endif
