// dense/rope: rotary position embedding (Su et al., "RoFormer", arXiv:2104.09864), partial and half-split as
// in phi.
#pragma once

#include "kernels/core/buffer.hpp"
#include "kernels/core/op.hpp"

namespace trisect::dense {

/// In place, f32. x is [rows][heads * head_dim], rows any stride apart; in each head the first `rotary`
/// elements turn as pairs (i, i + rotary/2), i < rotary/2, the others stay:
///   a' = a cos - b sin,  b' = a sin + b cos,  angle = position[r] * theta^(-2i / rotary).
/// q and k that lie side by side are rotated in one call, as 2 * heads heads.
/// position: i32 [1][rows]. table: f32 [positions][rotary] from make_rope_table().
/// Throws Error(kUsage) for a position outside the table.
struct Rope {
  static constexpr std::string_view name = "dense/rope";
  struct Problem {
    int rows, heads, head_dim, rotary, positions;
  };
  static constexpr Field<Problem> fields[] = {{"rows", &Problem::rows},
                                              {"heads", &Problem::heads},
                                              {"head_dim", &Problem::head_dim},
                                              {"rotary", &Problem::rotary},
                                              {"positions", &Problem::positions}};
  struct Args {
    View x, position, table;
  };
  static Args make(const Problem& problem, Arena& arena);
  static Cost cost(const Problem& problem);
  static Check check(const Problem& problem, const Args& got, const Args& want);
  static std::vector<Problem> odd_problems();
  static std::span<const VariantOf<Problem, Args>> variants();
};

/// f32 [positions][rotary]: a row holds rotary/2 cosines, then rotary/2 sines. Computed in f64; `rotary` is
/// even.
Buffer make_rope_table(int positions, int rotary, double theta);

void rope_ref(const Rope::Problem& problem, const Rope::Args& args);
void rope_cpu(const Rope::Problem& problem, const Rope::Args& args);

}  // namespace trisect::dense
