#include "kernels/dense/onednn.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <oneapi/dnnl/dnnl.hpp>
#include <unordered_map>

#include "kernels/core/buffer.hpp"
#include "kernels/dense/panels.hpp"

namespace trisect::dense {
namespace {

using dnnl::memory;

const dnnl::engine& cpu_engine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

dnnl::stream& cpu_stream() {
  thread_local dnnl::stream stream(cpu_engine());
  return stream;
}

memory::data_type type_of(Dtype dtype) {
  if (dtype == Dtype::kF32) return memory::data_type::f32;
  if (dtype == Dtype::kBf16) return memory::data_type::bf16;
  usage_error("onednn: weights are f32 or bf16, not {}", name_of(dtype));
}

memory::desc rows_of(const View& view) {
  return {{view.rows, view.cols}, type_of(view.dtype), memory::dims{view.stride, 1}};
}

memory::desc dense_rows(std::int64_t rows, std::int64_t cols, Dtype dtype) {
  return {{rows, cols}, type_of(dtype), memory::format_tag::ab};
}

/// Empty where oneDNN has no such product.
dnnl::matmul::primitive_desc describe(const memory::desc& x, const memory::desc& w, const memory::desc& bias,
                                      const memory::desc& y, bool accumulate) {
  dnnl::primitive_attr attributes;
  if (accumulate) {
    dnnl::post_ops sum;
    sum.append_sum(1.0f);
    attributes.set_post_ops(sum);
  }
#if DNNL_VERSION_MAJOR >= 3
  return {cpu_engine(), x, w, bias, y, attributes, true};
#else
  return {dnnl::matmul::desc(x, w, bias, y), attributes, cpu_engine(), true};
#endif
}

dnnl::matmul::primitive_desc describe_dense(std::int64_t m, std::int64_t in, std::int64_t out, Dtype dtype) {
  const memory::desc any({in, out}, type_of(dtype), memory::format_tag::any);
  return describe(dense_rows(m, in, dtype), any, {}, dense_rows(m, out, Dtype::kF32), false);
}

struct Compiled {
  memory::desc given_x, x, w, bias, y;
  dnnl::reorder narrow_x;  ///< to the weights' type, where they differ
  dnnl::matmul product;
};

Compiled compile(const Product& p, const memory::desc& weights) {
  Compiled c{rows_of(p.x), rows_of(p.x), weights, {}, rows_of(p.y), {}, {}};
  if (p.bias) c.bias = dense_rows(1, p.w.cols, Dtype::kF32);
  if (p.w.dtype != p.x.dtype) {
    c.x = dense_rows(p.x.rows, p.x.cols, p.w.dtype);
    c.narrow_x = dnnl::reorder(dnnl::reorder::primitive_desc(cpu_engine(), c.given_x, cpu_engine(), c.x));
  }
  const auto description = describe(c.x, c.w, c.bias, c.y, p.accumulate);
  if (!description)
    environment_error("oneDNN {} has no {} product here", onednn_version(), name_of(p.w.dtype));
  c.product = dnnl::matmul(description);
  return c;
}

/// Compiled products by shape. The block lengths of real prompts vary, so it is emptied when it grows too
/// large.
class CompiledProducts {
 public:
  std::shared_ptr<const Compiled> get(const Product& p, const memory::desc& weights) {
    const Key key{static_cast<int>(p.w.dtype),
                  static_cast<int>(p.x.dtype),
                  p.x.rows,
                  p.w.rows,
                  p.w.cols,
                  p.x.stride,
                  p.w.stride,
                  p.y.stride,
                  bool{p.bias},
                  p.accumulate};
    const std::lock_guard lock(mutex_);
    if (const auto found = by_shape_.find(key); found != by_shape_.end()) return found->second;
    if (by_shape_.size() == kMost) by_shape_.clear();
    return by_shape_[key] = std::make_shared<Compiled>(compile(p, weights));
  }

 private:
  static constexpr std::size_t kMost = 256;
  using Key = std::array<std::int64_t, 10>;

  std::mutex mutex_;
  std::map<Key, std::shared_ptr<const Compiled>> by_shape_;
};

struct Packed {
  memory weights;
  CompiledProducts products;
};

/// For activations in the weights' type, or else for weights in f32: never both.
thread_local Scratch scratch;

void execute(const Compiled& c, const Product& p, void* weights) {
  const dnnl::engine& engine = cpu_engine();
  dnnl::stream& stream = cpu_stream();
  memory x(c.given_x, engine, p.x.data);
  if (c.narrow_x) {
    memory narrowed(c.x, engine, scratch.reserve<std::byte>(static_cast<std::int64_t>(c.x.get_size())));
    c.narrow_x.execute(stream, x, narrowed);
    x = narrowed;
  }
  std::unordered_map<int, memory> args{{DNNL_ARG_SRC, x},
                                       {DNNL_ARG_WEIGHTS, memory(c.w, engine, weights)},
                                       {DNNL_ARG_DST, memory(c.y, engine, p.y.data)}};
  if (p.bias) args.emplace(DNNL_ARG_BIAS, memory(c.bias, engine, p.bias.data));
  c.product.execute(stream, args);
  stream.wait();
}

template <class Action>
auto with_our_errors(const View& w, Action action) {
  try {
    return action();
  } catch (const dnnl::error& error) {
    environment_error("oneDNN {}: product with {} weights of {}x{} failed: {}", onednn_version(),
                      name_of(w.dtype), w.rows, w.cols, error.what());
  }
}

/// The part of a product that makes some of its columns, with their weights.
Product columns_of(const Product& p, std::int64_t first, const View& w) {
  return {.x = p.x,
          .w = w,
          .bias = p.bias ? p.bias.columns(first, w.cols) : View(),
          .y = p.y.columns(first, w.cols),
          .accumulate = p.accumulate};
}

/// Where oneDNN cannot multiply the weights' type, some columns at a time are widened to f32.
void product_widened(const Product& p) {
  constexpr std::int64_t kColumns = 512;
  float* panel = scratch.reserve<float>(p.w.rows * std::min(kColumns, p.w.cols));
  for (std::int64_t first = 0; first < p.w.cols; first += kColumns) {
    const std::int64_t columns = std::min(kColumns, p.w.cols - first);
    const View narrow = p.w.columns(first, columns);
    const View wide = View::of(panel, p.w.rows, columns);
#pragma omp parallel for schedule(static)
    for (std::int64_t r = 0; r < p.w.rows; ++r) {
      convert(narrow.byte_row(r), narrow.dtype, wide.byte_row(r), Dtype::kF32,
              static_cast<std::size_t>(columns));
    }
    onednn_product(columns_of(p, first, wide));
  }
}

}  // namespace

std::shared_ptr<void> onednn_pack(const View& w, std::int64_t m) {
  return with_our_errors(w, [&]() -> std::shared_ptr<void> {
    const auto description = describe_dense(m, w.rows, w.cols, w.dtype);
    if (!description)
      environment_error("oneDNN {} has no {} product here", onednn_version(), name_of(w.dtype));
    auto packed = std::make_shared<Packed>();
    packed->weights = memory(description.weights_desc(), cpu_engine());
    memory plain(rows_of(w), cpu_engine(), w.data);
    dnnl::reorder(plain, packed->weights).execute(cpu_stream(), plain, packed->weights);
    cpu_stream().wait();
    return packed;
  });
}

void onednn_product_packed(const Product& product, void* packed) {
  if (product.x.rows == 0) return;
  Packed& weights = *static_cast<Packed*>(packed);
  with_our_errors(product.w, [&] {
    execute(*weights.products.get(product, weights.weights.get_desc()), product,
            weights.weights.get_data_handle());
  });
}

void onednn_product(const Product& product) {
  if (product.x.rows == 0) return;
  const bool narrow = product.w.dtype == Dtype::kBf16 || product.w.dtype == Dtype::kF16;
  if (narrow && !onednn_supports(product.w.dtype)) return product_widened(product);
  static CompiledProducts products;
  with_our_errors(product.w,
                  [&] { execute(*products.get(product, rows_of(product.w)), product, product.w.data); });
}

void onednn_product_in_panels(const Product& product) {
  Product p = product;
  thread_local Scratch narrowed;
  if (onednn_supports(p.w.dtype)) {  // once, and not for every panel
    p.x = View::of(narrowed.reserve<bf16>(p.x.rows * p.x.cols), p.x.rows, p.x.cols);
#pragma omp parallel for schedule(static)
    for (std::int64_t r = 0; r < p.x.rows; ++r) {
      convert(product.x.row<float>(r), Dtype::kF32, p.x.row<bf16>(r), Dtype::kBf16,
              static_cast<std::size_t>(p.x.cols));
    }
  }
  const std::int64_t width = panels_width(p.w.cols);
  for (std::int64_t first = 0; first < p.w.cols; first += kPanelColumns) {
    bf16* const panel = static_cast<bf16*>(p.w.data) + first * p.w.rows;
    const std::int64_t wide = std::min(kPanelColumns, width - first);
    const View w = View::of(panel, p.w.rows, std::min(kPanelColumns, p.w.cols - first), wide);
    onednn_product(columns_of(p, first, w));
  }
}

Availability onednn_supports(Dtype dtype) {
  const auto probe = [](Dtype type) { return bool{describe_dense(16, 16, 16, type)}; };
  static const bool f32 = probe(Dtype::kF32), bf16 = probe(Dtype::kBf16);
  if (dtype == Dtype::kF32 ? f32 : dtype == Dtype::kBf16 && bf16) return {};
  return {fmt::format("oneDNN {} has no {} product on this processor", onednn_version(), name_of(dtype))};
}

std::string onednn_version() {
  const dnnl::version_t& version = *dnnl::version();
  return fmt::format("{}.{}.{}", version.major, version.minor, version.patch);
}

}  // namespace trisect::dense
