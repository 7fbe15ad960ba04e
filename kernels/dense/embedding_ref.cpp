#include "kernels/dense/embedding.hpp"

namespace trisect::dense {

void embedding_ref(const Embedding::Problem& problem, const Embedding::Args& args) {
  for (int r = 0; r < problem.rows; ++r) {
    const std::int32_t token = args.token.row<std::int32_t>()[r];
    for (int i = 0; i < problem.n; ++i) {
      args.y.row<float>(r)[i] = problem.dtype == Dtype::kBf16 ? to_f32(args.table.row<bf16>(token)[i])
                                                              : args.table.row<float>(token)[i];
    }
  }
}

}  // namespace trisect::dense
