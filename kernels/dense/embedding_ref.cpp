#include "kernels/dense/embedding.hpp"

namespace trisect::dense {

void embedding_ref(const Embedding::Problem& problem, const Embedding::Args& args) {
  for (int r = 0; r < problem.rows; ++r) {
    const std::int32_t token = args.token.row<std::int32_t>()[r];
    const auto widen = [&](const auto* row) {
      for (int i = 0; i < problem.n; ++i) args.y.row<float>(r)[i] = to_f32(row[i]);
    };
    if (problem.dtype == Dtype::kBf16) {
      widen(args.table.row<bf16>(token));
    } else if (problem.dtype == Dtype::kF16) {
      widen(args.table.row<f16>(token));
    } else {
      widen(args.table.row<float>(token));
    }
  }
}

}  // namespace trisect::dense
