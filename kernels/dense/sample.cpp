#include "kernels/dense/sample.hpp"

#include "kernels/dense/sampling.hpp"

namespace trisect::dense {
namespace {

void sample_ref(const Sample::Problem& p, const Sample::Args& a) {
  const auto half = [&](int which, int row) {
    return std::uint64_t{static_cast<std::uint32_t>(a.bits.row<std::int32_t>(which)[row])};
  };
  for (int r = 0; r < p.rows; ++r) {
    const std::span<const float> logits(a.logits.row<float>(r), static_cast<std::size_t>(p.n));
    a.id.row<std::int32_t>()[r] = draw(logits, a.temperature, a.top_p, half(1, r) << 32 | half(0, r));
  }
}

}  // namespace

Sample::Args Sample::make(const Problem& p, Arena& arena) {
  constexpr float kDeviation = 3;
  const View logits = arena.input(Dtype::kF32, p.rows, p.n, Fill::kNormal, kDeviation);
  std::vector<std::int32_t> bits(2 * static_cast<std::size_t>(p.rows));
  for (std::size_t i = 0; i < bits.size(); ++i)
    bits[i] = static_cast<std::int32_t>(static_cast<std::uint32_t>(random_bits(17, i) >> 32));
  const View flat = arena.integers(bits);
  return {logits, View(flat.data, Dtype::kI32, 2, p.rows), arena.output(Dtype::kI32, 1, p.rows),
          static_cast<float>(p.temperature_permille) / 1000, static_cast<float>(p.top_p_permille) / 1000};
}

Cost Sample::cost(const Problem& p) {
  constexpr double kFlopsEach = 25;  // of a weight; argmax alone takes one
  const double logits = double{1} * p.rows * p.n;
  return {4 * logits, 4.0 * p.rows, (p.temperature_permille > 0 ? kFlopsEach : 1) * logits};
}

Check Sample::check(const Problem&, const Args& got, const Args& want) {
  return check_equal(got.id, want.id);
}

std::vector<Sample::Problem> Sample::odd_problems() {
  std::vector<Problem> problems;
  for (const int temperature : {0, 1, 700, 1000, 50000}) {
    for (const int top_p : {1000, 900, 1}) {
      if (temperature == 0 && top_p < 1000) continue;
      problems.push_back({1, 1, temperature, top_p});
      problems.push_back({9, 257, temperature, top_p});
      problems.push_back({3, 5001, temperature, top_p});
    }
  }
  problems.push_back({2, 51200, 1000, 950});
  return problems;
}

std::span<const Sample::Variant> Sample::variants() {
  static const Variant cpu[] = {{.name = "ref", .run = sample_ref}};
  if constexpr (kCudaBuild) {
    static const auto all = joined<Variant>(cpu, sample_cuda_variants());
    return all;
  } else {
    return cpu;
  }
}

}  // namespace trisect::dense
