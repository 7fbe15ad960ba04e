// The seam of the linear layers: where weights are read, and so where LaRoSA saves.
#pragma once

#include <cstddef>
#include <memory>

#include "integration/phi2/engine/rows.hpp"
#include "integration/phi2/engine/stages.hpp"
#include "integration/phi2/model/weights.hpp"

namespace trisect::phi2 {

/// All activations are f32, one row a token. A phi block has one LayerNorm whose result feeds q, k, v and
/// fc1, and adds attention's and the MLP's outputs to the residual stream together, so a layer is two calls.
class Projection {
 public:
  virtual ~Projection() = default;

  /// x[rows][hidden] = the tokens' embeddings.
  virtual void embed(const Rows& rows, const View& x) = 0;
  /// qkvh[rows][3 * hidden + intermediate] = LayerNorm(x) times q|k|v|fc1, plus biases.
  virtual void in(int layer, const View& x, const View& qkvh) = 0;
  /// x += attention times dense + gelu(h) times fc2 + biases, with attention and h side by side in
  /// attention_h[rows][hidden + intermediate]; h is overwritten by gelu(h).
  virtual void out(int layer, const View& attention_h, const View& x) = 0;
  /// y[rows][vocab] = final LayerNorm(x) times the head, plus bias.
  virtual void logits(const View& x, const View& y) = 0;

  virtual std::size_t scratch_bytes() const = 0;
};

/// Reads every weight. Single rows go through the row kernel, more through gemm. Borrows its arguments;
/// `max_rows` is the largest step.
std::unique_ptr<Projection> make_dense_projection(const Weights& weights, int max_rows, StageClock& clock);

}  // namespace trisect::phi2
