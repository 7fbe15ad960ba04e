// oneDNN's matrix product behind one small door: hides the differences of 2.6 and 3.x, keeps compiled
// primitives by shape, and converts activations to the weights' type.
#pragma once

#include <memory>
#include <string>

#include "kernels/core/op.hpp"

namespace trisect::dense {

/// y[m][out] = x[m][in] * w[in][out] + bias[1][out], or y += when `accumulate`. y and bias are f32, w is
/// f32, bf16 or f16, x is f32 or as w; an empty bias means none. Rows of x, w and y may be any stride apart.
/// With bf16 weights x is rounded to bf16 (the calling thread keeps scratch for it) and products are
/// accumulated in f32. y must not overlap an operand.
struct Product {
  View x, w, bias, y;
  bool accumulate = false;
};

/// Weights copied into the layout that oneDNN prefers for products of `m` rows.
/// Throws Error(kEnvironment) where oneDNN has no product of that type; see onednn_supports().
std::shared_ptr<void> onednn_pack(const View& w, std::int64_t m);

/// `packed` comes from onednn_pack() of product.w, whose elements are not read. Any number of rows works; the
/// layout suits those it was packed for. Safe to call from several threads.
void onednn_product_packed(const Product& product, void* packed);

/// The weights as they lie in memory. bf16 weights that oneDNN cannot multiply, and all in f16, are widened
/// to f32, some columns at a time.
void onednn_product(const Product& product);

/// The weights in panels (panels.hpp), one panel after the other.
void onednn_product_in_panels(const Product& product);

/// bf16 needs AVX-512 (or better) in oneDNN.
Availability onednn_supports(Dtype dtype);

std::string onednn_version();  ///< "2.6.3" of the library loaded

}  // namespace trisect::dense
