// Tiles of neighbouring rows of one sequence, as in prefill: bound by arithmetic. The queries of a tile lie
// transposed, so that a vector holds one element of many queries: scores come from multiply-adds alone and
// the softmax needs no sum across lanes. Each block of K and V is widened once for the whole tile.
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)  // have no arrays of vectors
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/dense/attention_tiles.cpp"
#include <hwy/foreach_target.h>
//
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>

#include "kernels/dense/attention_detail.hpp"
#include "kernels/dense/simd_inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace trisect::dense::HWY_NAMESPACE {

constexpr int kBlockKeys = 64;
constexpr int kStripRows = 64;  // queries whose scores against a block stay in the first-level cache
constexpr int kGroup = 4;       // rows of the small product
constexpr int kPadRows = 16;    // tiles are padded to whole vectors of any instruction set
constexpr int kMostVectors = HWY_TARGET <= HWY_AVX3 ? 5 : 2;  // with kGroup rows they fill the registers

/// Rows a[i], i < kGroup: element (i, j) at a[i * row + j * step].
struct Factor {
  const float* at;
  std::int64_t row, step;
};

/// c[kGroup][V vectors] (+)= a[kGroup][depth] * b[depth][V vectors]
template <int V>
HWY_INLINE void multiply_vectors(const Factor& a, const float* b, std::int64_t b_stride, float* c,
                                 std::int64_t c_stride, int depth, bool accumulate) {
  const Floats d;
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(d));
  hn::Vec<Floats> sum[kGroup][V];
#pragma GCC unroll 8
  for (int i = 0; i < kGroup; ++i) {
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v)
      sum[i][v] = accumulate ? hn::LoadU(d, c + i * c_stride + v * lanes) : hn::Zero(d);
  }
  for (int j = 0; j < depth; ++j) {
    hn::Vec<Floats> row[V];
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) row[v] = hn::LoadU(d, b + j * b_stride + v * lanes);
#pragma GCC unroll 8
    for (int i = 0; i < kGroup; ++i) {
      const auto factor = hn::Set(d, a.at[i * a.row + j * a.step]);
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) sum[i][v] = hn::MulAdd(factor, row[v], sum[i][v]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kGroup; ++i) {
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) hn::StoreU(sum[i][v], d, c + i * c_stride + v * lanes);
  }
}

/// The same over any number of vectors.
void multiply(const Factor& a, const float* b, std::int64_t b_stride, float* c, std::int64_t c_stride,
              int depth, int vectors, bool accumulate) {
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(Floats()));
  while (vectors > 0) {
    const int now = std::min(vectors, kMostVectors);
    switch (now) {
      case 1:
        multiply_vectors<1>(a, b, b_stride, c, c_stride, depth, accumulate);
        break;
      case 2:
        multiply_vectors<2>(a, b, b_stride, c, c_stride, depth, accumulate);
        break;
      case 3:
        multiply_vectors<3>(a, b, b_stride, c, c_stride, depth, accumulate);
        break;
      case 4:
        multiply_vectors<4>(a, b, b_stride, c, c_stride, depth, accumulate);
        break;
      default:
        multiply_vectors<5>(a, b, b_stride, c, c_stride, depth, accumulate);
    }
    vectors -= now;
    b += now * lanes;
    c += now * lanes;
  }
}

/// One head of one tile, in the scratch of a thread. Rows beyond the tile's own repeat its last one.
class TileHead {
 public:
  TileHead(const Attention::Problem& problem, const Attention::Args& args, Tile tile, int head,
           Scratch& scratch)
      : problem_(problem),
        args_(args),
        tile_(tile),
        column_(std::int64_t{head} * problem.head_dim),
        rows_((tile.count + kPadRows - 1) / kPadRows * kPadRows),
        width_((problem.head_dim + lanes() - 1) / lanes() * lanes()) {
    const std::int64_t n = problem.head_dim, most = Tile::kMostRows;
    q_ = scratch.reserve<float>((n + width_ + 4) * most + kBlockKeys * (n + width_ + kStripRows));
    sums_ = q_ + n * most;
    k_ = sums_ + width_ * most;
    v_ = k_ + kBlockKeys * n;
    scores_ = v_ + kBlockKeys * width_;
    position_ = scores_ + kBlockKeys * kStripRows;
    largest_ = position_ + most;
    total_ = largest_ + most;
    shrink_ = total_ + most;
  }

  void run() {
    load_queries();
    const int keys = static_cast<int>(*std::max_element(position_, position_ + rows_)) + 1;
    for (int key = 0; key < keys; key += kBlockKeys) {
      const int count = std::min(kBlockKeys, keys - key);
      switch (args_.kv.dtype) {
        case Dtype::kBf16:
          load_blocks<bf16>(key, count);
          break;
        case Dtype::kF16:
          load_blocks<f16>(key, count);
          break;
        default:
          load_blocks<float>(key, count);
      }
      for (int strip = 0; strip < rows_; strip += kStripRows) attend(strip, key, count);
    }
    store_means();
  }

 private:
  static std::int64_t lanes() { return static_cast<std::int64_t>(hn::Lanes(Floats())); }

  int row_at(int i) const { return tile_.first + std::min(i, tile_.count - 1); }

  void load_queries() {
    const float scale = 1 / std::sqrt(static_cast<float>(problem_.head_dim));
    for (int first = 0; first < rows_; first += kPadRows) {
      const float* q[kPadRows];
      for (int i = 0; i < kPadRows; ++i) q[i] = args_.q.row<float>(row_at(first + i)) + column_;
      for (int e = 0; e < problem_.head_dim; ++e) {
        for (int i = 0; i < kPadRows; ++i) q_[e * Tile::kMostRows + first + i] = scale * q[i][e];
      }
    }
    for (int i = 0; i < rows_; ++i)
      position_[i] = static_cast<float>(args_.position.row<std::int32_t>()[row_at(i)]);
    std::fill_n(largest_, rows_, -INFINITY);
    std::fill_n(total_, rows_, 0.0f);
    std::fill_n(sums_, rows_ * width_, 0.0f);
  }

  template <class T>
  void load_blocks(int key, int count) {
    load_block<T>(args_.kv.k, key, count, k_, problem_.head_dim);
    load_block<T>(args_.kv.v, key, count, v_, width_);
  }

  template <class T>
  void load_block(const std::byte* base, int key, int count, float* to, std::int64_t stride) {
    const std::int32_t slot = args_.slot.row<std::int32_t>()[tile_.first];
    for (int t = 0; t < count; ++t) {
      const T* from = reinterpret_cast<const T*>(base + args_.kv.offset(slot, key + t)) + column_;
      for_each_vector(problem_.head_dim, [&](auto d, std::int64_t i) HWY_ATTR {
        hn::StoreU(load_f32(d, from + i), d, to + t * stride + i);
      });
    }
  }

  /// The queries of a strip against the loaded block, whose first key is `key`.
  void attend(int strip, int key, int count) {
    const int rows = std::min(kStripRows, rows_ - strip);
    const float* position = position_ + strip;
    if (*std::max_element(position, position + rows) < static_cast<float>(key)) return;
    for (int t = 0; t < count; t += kGroup) {
      multiply({k_ + t * problem_.head_dim, problem_.head_dim, 1}, q_ + strip, Tile::kMostRows,
               scores_ + t * kStripRows, kStripRows, problem_.head_dim, rows / static_cast<int>(lanes()),
               false);
    }
    weigh(strip, rows, key, count);
    for (int i = 0; i < rows && strip + i < tile_.count; i += kGroup) add_values(strip, i, key, count);
  }

  void weigh(int strip, int rows, int key, int count) {
    const Floats d;
    for (int i = 0; i < rows; i += static_cast<int>(lanes())) {
      const auto position = hn::LoadU(d, position_ + strip + i), nothing = hn::Set(d, -INFINITY);
      const auto before = hn::LoadU(d, largest_ + strip + i);
      auto largest = before;
      for (int t = 0; t < count; ++t) {
        const auto allowed = hn::Ge(position, hn::Set(d, static_cast<float>(key + t)));
        const auto score = hn::IfThenElse(allowed, hn::LoadU(d, scores_ + t * kStripRows + i), nothing);
        hn::StoreU(score, d, scores_ + t * kStripRows + i);
        largest = hn::Max(largest, score);
      }
      const auto shrink = hn::Exp(d, hn::Sub(before, largest));
      auto total = hn::Mul(hn::LoadU(d, total_ + strip + i), shrink);
      for (int t = 0; t < count; ++t) {
        const auto weight = hn::Exp(d, hn::Sub(hn::LoadU(d, scores_ + t * kStripRows + i), largest));
        hn::StoreU(weight, d, scores_ + t * kStripRows + i);
        total = hn::Add(total, weight);
      }
      hn::StoreU(largest, d, largest_ + strip + i);
      hn::StoreU(total, d, total_ + strip + i);
      hn::StoreU(shrink, d, shrink_ + i);
    }
  }

  /// A key that is not every row's own is multiplied with the rows that may see it: a weight of zero would
  /// let a NaN in.
  void add_values(int strip, int group, int key, int count) {
    int seen[kGroup];
    for (int i = 0; i < kGroup; ++i) {
      seen[i] = std::clamp(static_cast<int>(position_[strip + group + i]) + 1 - key, 0, count);
    }
    const int common = *std::min_element(seen, seen + kGroup);
    float* sums = sums_ + (strip + group) * width_;
    for (int i = 0; i < kGroup; ++i) {
      for_each_vector(width_, [&](auto d, std::int64_t e) HWY_ATTR {
        float* at = sums + i * width_ + e;
        hn::StoreU(hn::Mul(hn::LoadU(d, at), hn::Set(d, shrink_[group + i])), d, at);
      });
    }
    multiply({scores_ + group, 1, kStripRows}, v_, width_, sums, width_, common,
             static_cast<int>(width_ / lanes()), true);
    for (int i = 0; i < kGroup; ++i) {
      for (int t = common; t < seen[i]; ++t) {
        for_each_vector(width_, [&](auto d, std::int64_t e) HWY_ATTR {
          float* at = sums + i * width_ + e;
          const auto weight = hn::Set(d, scores_[t * kStripRows + group + i]);
          hn::StoreU(hn::MulAdd(weight, hn::LoadU(d, v_ + t * width_ + e), hn::LoadU(d, at)), d, at);
        });
      }
    }
  }

  void store_means() const {
    for (int i = 0; i < tile_.count; ++i) {
      float* out = args_.out.row<float>(tile_.first + i) + column_;
      for_each_vector(problem_.head_dim, [&](auto d, std::int64_t e) HWY_ATTR {
        hn::StoreU(hn::Div(hn::LoadU(d, sums_ + i * width_ + e), hn::Set(d, total_[i])), d, out + e);
      });
    }
  }

  const Attention::Problem& problem_;
  const Attention::Args& args_;
  const Tile tile_;
  const std::int64_t column_;            // of the head in q and out
  const int rows_;                       // of the tile, padded
  const std::int64_t width_;             // of a head, padded to whole vectors
  float* q_;                             // [head_dim][kMostRows], scaled
  float* sums_;                          // [kMostRows][width]
  float *k_, *v_;                        // [kBlockKeys][head_dim], [kBlockKeys][width]
  float* scores_;                        // [kBlockKeys][kStripRows], then weights
  float *position_, *largest_, *total_;  // [kMostRows]
  float* shrink_;                        // [kStripRows]: what the sums so far are worth under a new maximum
};

void attend_tile_head(const Attention::Problem& problem, const Attention::Args& args, Tile tile, int head) {
  thread_local Scratch scratch;
  TileHead(problem, args, tile, head, scratch).run();
}

}  // namespace trisect::dense::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace trisect::dense {

HWY_EXPORT(attend_tile_head);

void attend_tiles(const Attention::Problem& problem, const Attention::Args& args,
                  std::span<const Tile> tiles) {
  const int count = static_cast<int>(tiles.size()) * problem.heads;
#pragma omp parallel for schedule(dynamic) if (count > 1)
  for (int i = 0; i < count; ++i) {  // from the back: the last tiles of a prompt see the most keys
    const Tile tile = tiles[tiles.size() - 1 - static_cast<std::size_t>(i / problem.heads)];
    HWY_DYNAMIC_DISPATCH(attend_tile_head)(problem, args, tile, i % problem.heads);
  }
}

}  // namespace trisect::dense
#endif
