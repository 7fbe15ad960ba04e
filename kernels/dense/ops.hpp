// The operations that any transformer needs.
#pragma once

#include <tuple>

#include "kernels/dense/attention.hpp"
#include "kernels/dense/copy.hpp"
#include "kernels/dense/embedding.hpp"
#include "kernels/dense/gelu.hpp"
#include "kernels/dense/gemm.hpp"
#include "kernels/dense/gemv.hpp"
#include "kernels/dense/layernorm.hpp"
#include "kernels/dense/rope.hpp"
#include "kernels/dense/sample.hpp"

namespace trisect::dense {

using Ops = std::tuple<Copy, Gemv, Gemm, Layernorm, Rope, Gelu, Attention, Embedding, Sample>;

}  // namespace trisect::dense
