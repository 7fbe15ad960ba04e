// The ops of the family, for tests, benchmarks and lists.
#pragma once

#include <tuple>

#include "kernels/larosa/gelu_topk.hpp"
#include "kernels/larosa/layer.hpp"
#include "kernels/larosa/rmsnorm.hpp"
#include "kernels/larosa/rotate.hpp"
#include "kernels/larosa/scatter.hpp"
#include "kernels/larosa/sparse_gemv.hpp"
#include "kernels/larosa/topk.hpp"

namespace trisect::larosa {

using Ops = std::tuple<Rmsnorm, Rotate, Topk, GeluTopk, Scatter, SparseGemv, Layer>;

}  // namespace trisect::larosa
