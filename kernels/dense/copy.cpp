#include "kernels/dense/copy.hpp"

#include <cstring>

#include "kernels/core/threads.hpp"

namespace trisect::dense {
namespace {

void copy_ref(const Copy::Problem&, const Copy::Args& a) {
  std::memcpy(a.y.data, a.x.data, a.x.bytes());
}

void copy_team(const Copy::Problem& p, const Copy::Args& a) {
  constexpr int kUnit = 1024, kLeastForATeam = 1 << 16;
  if (p.n < kLeastForATeam) return copy_ref(p, a);
  const int parts = thread_count();
#pragma omp parallel for schedule(static) num_threads(parts)
  for (int part = 0; part < parts; ++part) {
    const Range mine = split(p.n, part, parts, kUnit);
    std::memcpy(a.y.row<float>() + mine.first, a.x.row<float>() + mine.first,
                sizeof(float) * static_cast<std::size_t>(mine.last - mine.first));
  }
}

}  // namespace

Copy::Args Copy::make(const Problem& p, Arena& arena) {
  return {arena.weight(Dtype::kF32, 1, p.n, 1), arena.output(Dtype::kF32, 1, p.n)};
}

Cost Copy::cost(const Problem& p) { return {4.0 * p.n, 4.0 * p.n, 0}; }

Check Copy::check(const Problem&, const Args& got, const Args& want) { return check_equal(got.y, want.y); }

std::vector<Copy::Problem> Copy::odd_problems() { return {{1}, {3}, {1025}, {70001}, {1 << 17}}; }

std::span<const Copy::Variant> Copy::variants() {
  static const Variant cpu[] = {{.name = "ref", .run = copy_ref}, {.name = "cpu_team", .run = copy_team}};
  if constexpr (kCudaBuild) {
    static const auto all = joined<Variant>(cpu, copy_cuda_variants());
    return all;
  } else {
    return cpu;
  }
}

}  // namespace trisect::dense
