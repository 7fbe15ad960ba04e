// An op for the harness's own tests: y[i] = x[i] * w[i], the first `sparsity_permille` of them zero, by
// kernels that cheat in every way that must be caught.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <thread>
#include <tuple>
#include <vector>

#include "kernels/core/op.hpp"

namespace trisect::testing {

struct Toy {
  static constexpr std::string_view name = "toy/product";
  struct Problem {
    int n = 0, sparsity_permille = 0;
    Dtype dtype = Dtype::kF32;
  };
  static constexpr Field<Problem> fields[] = {{"n", &Problem::n},
                                              {"sparsity_permille", &Problem::sparsity_permille}};
  struct Args {
    View x, w, y;
    std::shared_ptr<void> prepared;
  };
  using Variant = VariantOf<Problem, Args>;

  static Cost cost(const Problem& p) { return {8.0 * p.n, 4.0 * p.n, 1.0 * p.n}; }
  static Args make(const Problem& p, Arena& arena) {
    if (p.n == 666) usage_error("n is 666");
    return {.x = arena.input(Dtype::kF32, 1, p.n),
            .w = arena.weight(Dtype::kF32, 1, p.n, 1.0f),
            .y = arena.output(Dtype::kF32, 1, p.n),
            .prepared = nullptr};
  }
  static Check check(const Problem&, const Args& got, const Args& want) {
    return check_close(got.y, want.y, 1e-6);
  }
  static std::vector<Problem> odd_problems() { return {{1, 0}, {33, 500}}; }
  static std::span<const Variant> variants();
};

using ToyOps = std::tuple<Toy>;

inline void toy_good(const Toy::Problem& p, const Toy::Args& a) {
  const int zeros = static_cast<int>(std::int64_t{p.n} * p.sparsity_permille / 1000);
  for (int i = 0; i < p.n; ++i)
    a.y.row<float>()[i] = i < zeros ? 0 : a.x.row<float>()[i] * a.w.row<float>()[i];
}

inline void toy_ref(const Toy::Problem& p, const Toy::Args& a) { toy_good(p, a); }

inline void toy_wrong(const Toy::Problem& p, const Toy::Args& a) {
  toy_good(p, a);
  a.y.row<float>()[p.n - 1] += 1;
}

inline void toy_zeros(const Toy::Problem& p, const Toy::Args& a) { std::fill_n(a.y.row<float>(), p.n, 0.0f); }

/// Leaves half of the work undone.
inline void toy_skips(const Toy::Problem& p, const Toy::Args& a) {
  for (int i = 0; i < p.n / 2; ++i) a.y.row<float>()[i] = a.x.row<float>()[i] * a.w.row<float>()[i];
}

inline void toy_nan(const Toy::Problem& p, const Toy::Args& a) {
  toy_good(p, a);
  a.y.row<float>()[p.n / 2] = std::numeric_limits<float>::quiet_NaN();
}

inline void toy_alters_input(const Toy::Problem& p, const Toy::Args& a) {
  toy_good(p, a);
  a.x.row<float>()[0] = 7;
}

inline void toy_breaks_guard(const Toy::Problem& p, const Toy::Args& a) {
  toy_good(p, a);
  a.y.row<float>()[p.n] = 0;
}

/// Remembers the first result and hands it out ever after.
inline void toy_caches(const Toy::Problem& p, const Toy::Args& a) {
  static std::vector<float> first;
  if (first.size() != static_cast<std::size_t>(p.n)) {
    toy_good(p, a);
    first.assign(a.y.row<float>(), a.y.row<float>() + p.n);
  }
  std::copy(first.begin(), first.end(), a.y.row<float>());
}

/// Computes once for each output and then trusts that the result is still there.
inline void toy_lazy(const Toy::Problem& p, const Toy::Args& a) {
  static int calls = 0;
  if (calls++ < 16) toy_good(p, a);
}

/// Good for two repetitions: after as many checks it no longer is. A check starts from poisoned outputs.
inline void toy_tires(const Toy::Problem& p, const Toy::Args& a) {
  static int checks = 0;
  if (std::isnan(a.y.row<float>()[0])) ++checks;
  toy_good(p, a);
  if (checks > 3 + 2) a.y.row<float>()[0] += 1;
}

/// Breaks a guard when nobody looks: between the check before and the check after.
inline void toy_late_guard(const Toy::Problem& p, const Toy::Args& a) {
  static int calls = 0;
  toy_good(p, a);
  if (++calls == 16) a.y.row<float>()[p.n] = 0;
}

inline void toy_throws(const Toy::Problem&, const Toy::Args&) { throw std::runtime_error("no luck today"); }

inline void toy_needs_prepared(const Toy::Problem& p, const Toy::Args& a) {
  if (*static_cast<const float*>(a.prepared.get()) == a.w.row<float>()[0]) toy_good(p, a);
}

inline std::shared_ptr<void> toy_prepare(const Toy::Problem&, const Toy::Args& a) {
  return std::make_shared<float>(a.w.row<float>()[0]);
}

inline void toy_slow(const Toy::Problem& p, const Toy::Args& a) {
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  toy_good(p, a);
}

inline void toy_stuck(const Toy::Problem& p, const Toy::Args& a) {
  std::this_thread::sleep_for(std::chrono::minutes(5));
  toy_good(p, a);
}

inline Availability toy_never(const Toy::Problem&) { return {"the machine has no flux capacitor"}; }

inline std::span<const Toy::Variant> Toy::variants() {
  static const Variant kVariants[] = {{.name = "ref", .run = toy_ref},
                                      {.name = "wrong", .run = toy_wrong},
                                      {.name = "nan", .run = toy_nan},
                                      {.name = "zeros", .run = toy_zeros},
                                      {.name = "skips", .run = toy_skips},
                                      {.name = "alters_input", .run = toy_alters_input},
                                      {.name = "breaks_guard", .run = toy_breaks_guard},
                                      {.name = "caches", .run = toy_caches},
                                      {.name = "lazy", .run = toy_lazy},
                                      {.name = "tires", .run = toy_tires},
                                      {.name = "late_guard", .run = toy_late_guard},
                                      {.name = "throws", .run = toy_throws},
                                      {.name = "prepared", .run = toy_needs_prepared, .prepare = toy_prepare},
                                      {.name = "slow", .run = toy_slow},
                                      {.name = "stuck", .run = toy_stuck},
                                      {.name = "unavailable", .available = toy_never, .run = toy_good},
                                      {.name = "good", .run = toy_good}};
  return kVariants;
}

}  // namespace trisect::testing
