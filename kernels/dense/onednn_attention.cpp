#include "kernels/dense/onednn_attention.hpp"

#include <cmath>
#include <oneapi/dnnl/dnnl.hpp>

#include "kernels/core/buffer.hpp"
#include "kernels/dense/onednn.hpp"

namespace trisect::dense {
namespace {

using dnnl::memory;

const dnnl::engine& engine() {
  static const dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}

memory::desc floats(std::int64_t heads, std::int64_t rows, std::int64_t cols) {
  return {{heads, rows, cols}, memory::data_type::f32, memory::format_tag::abc};
}

dnnl::matmul product(const memory::desc& x, const memory::desc& w, const memory::desc& y) {
#if DNNL_VERSION_MAJOR >= 3
  return dnnl::matmul({engine(), x, w, y});
#else
  return dnnl::matmul({{x, w, y}, engine()});
#endif
}

dnnl::softmax_forward softmax(const memory::desc& x, int axis) {
#if DNNL_VERSION_MAJOR >= 3
  return dnnl::softmax_forward(
      {engine(), dnnl::prop_kind::forward_inference, dnnl::algorithm::softmax_accurate, x, x, axis});
#else
  return dnnl::softmax_forward({{dnnl::prop_kind::forward_inference, x, axis}, engine()});
#endif
}

/// from: [heads][n]; to: [heads][3][n], whose sum over the middle is `from`, but for its last bit.
void cut(const float* from, bf16* to, std::int64_t heads, std::int64_t n) {
  for (std::int64_t h = 0; h < heads; ++h) {
    for (std::int64_t i = 0; i < n; ++i) {
      float rest = from[h * n + i];
      for (std::int64_t part = 0; part < 3; ++part) {
        bf16& piece = to[(3 * h + part) * n + i];
        piece = to_bf16(rest);
        rest -= to_f32(piece);
      }
    }
  }
}

/// The reverse: from [heads][parts][n].
void add_up(const float* from, float* to, std::int64_t heads, std::int64_t parts, std::int64_t n) {
  for (std::int64_t h = 0; h < heads; ++h) {
    for (std::int64_t i = 0; i < n; ++i) {
      float sum = 0;
      for (std::int64_t part = parts; part-- > 0;) sum += from[(parts * h + part) * n + i];
      to[h * n + i] = sum;
    }
  }
}

}  // namespace

struct OnednnAttention::Compiled {
  std::int64_t heads, head_dim, keys, parts;
  memory::desc query, key, score, weight, value, mean, all;
  dnnl::matmul scores, means;
  dnnl::softmax_forward weigh;
  Buffer given, narrow, sums, weights;  // scratch: scaled queries, what is cut, products, scores
  dnnl::stream stream{engine()};

  void multiply(const dnnl::matmul& matmul, const memory::desc& x, const void* from, const memory::desc& w,
                const std::byte* with, const memory::desc& y) {
    matmul.execute(stream, {{DNNL_ARG_SRC, memory(x, engine(), const_cast<void*>(from))},
                            {DNNL_ARG_WEIGHTS, memory(w, engine(), const_cast<std::byte*>(with))},
                            {DNNL_ARG_DST, memory(y, engine(), sums.as<float>())}});
  }
};

OnednnAttention::OnednnAttention(const KvSpan& kv, int heads, int head_dim, int keys) try
    : compiled_(std::make_shared<Compiled>()) {
  if (const Availability yes = onednn_supports(kv.dtype); !yes) environment_error("{}", yes.why_not);
  Compiled& c = *compiled_;
  const bool narrow = kv.dtype == Dtype::kBf16;
  const auto type = narrow ? memory::data_type::bf16 : memory::data_type::f32;
  const std::int64_t token = kv.token / static_cast<std::int64_t>(size_of(kv.dtype)), n = head_dim;
  c.heads = heads, c.head_dim = n, c.keys = keys, c.parts = narrow ? 3 : 1;
  c.query = {{heads, c.parts, n}, type, memory::format_tag::abc};
  c.key = {{heads, n, keys}, type, memory::dims{n, 1, token}};
  c.score = floats(heads, c.parts, keys);
  c.weight = {{heads, c.parts, keys}, type, memory::format_tag::abc};
  c.value = {{heads, keys, n}, type, memory::dims{n, token, 1}};
  c.mean = floats(heads, c.parts, n);
  c.all = floats(heads, 1, keys);
  c.scores = product(c.query, c.key, c.score);
  c.weigh = softmax(c.all, 2);
  c.means = product(c.weight, c.value, c.mean);
  const std::int64_t widest = std::max<std::int64_t>(n, keys);
  c.given = Buffer(Dtype::kF32, heads, n);
  c.narrow = Buffer(Dtype::kBf16, heads, 3 * widest);
  c.sums = Buffer(Dtype::kF32, heads, c.parts * widest);
  c.weights = Buffer(Dtype::kF32, heads, keys);
} catch (const dnnl::error& error) {
  environment_error("oneDNN {}: attention over {} keys failed: {}", onednn_version(), keys, error.what());
}

void OnednnAttention::run(const float* q, const std::byte* k, const std::byte* v, float* out) const {
  Compiled& c = *compiled_;
  const float scale = 1 / std::sqrt(static_cast<float>(c.head_dim));
  float *given = c.given.as<float>(), *weights = c.weights.as<float>();
  for (std::int64_t i = 0; i < c.heads * c.head_dim; ++i) given[i] = scale * q[i];
  const auto narrowed = [&](const float* from, std::int64_t n) -> const void* {
    if (c.parts == 1) return from;
    cut(from, c.narrow.as<bf16>(), c.heads, n);
    return c.narrow.as<bf16>();
  };
  c.multiply(c.scores, c.query, narrowed(given, c.head_dim), c.key, k, c.score);
  c.stream.wait();
  add_up(c.sums.as<float>(), weights, c.heads, c.parts, c.keys);
  const memory all(c.all, engine(), weights);
  c.weigh.execute(c.stream, {{DNNL_ARG_SRC, all}, {DNNL_ARG_DST, all}});
  c.stream.wait();
  c.multiply(c.means, c.weight, narrowed(weights, c.keys), c.value, v, c.mean);
  c.stream.wait();
  add_up(c.sums.as<float>(), out, c.heads, c.parts, c.head_dim);
}

}  // namespace trisect::dense
