// The plain projection, and what the others are made from.
#pragma once

#include "integration/phi2/engine/projection.hpp"
#include "kernels/core/tensor.hpp"

namespace trisect::phi2 {

class DenseProjection : public Projection {
 public:
  DenseProjection(const Weights& weights, int max_rows, StageClock& clock);

  void embed(const Rows& rows, const View& x) override;
  void in(int layer, const View& x, const View& qkvh) override;
  void out(int layer, const View& attention_h, const View& x) override;
  void logits(const View& x, const View& y) override;
  std::size_t scratch_bytes() const override { return normed_.bytes(); }

 protected:
  /// LayerNorm(x) of as many rows, in this object's scratch.
  View normalize(const View& x, const View& gain, const View& bias);
  const LayerWeights& layer(int index) const { return weights_.layers[static_cast<std::size_t>(index)]; }
  void gelu_h(const View& attention_h);
  /// The weights of the layer behind, or the head.
  const Matrix& read_after(int index) const {
    const std::size_t next = static_cast<std::size_t>(index) + 1;
    return next < weights_.layers.size() ? weights_.layers[next].qkvh : weights_.head;
  }

  const Weights& weights_;
  StageClock& clock_;

 private:
  Tensor normed_;
};

/// y = x w + bias, or y += with `accumulate`, by the kernels that suit the number of rows. `next`: weights
/// that are read after w, as a hint.
void multiply(const View& x, const Matrix& w, const View& bias, const View& y, bool accumulate = false,
              const Matrix& next = {}, Device device = Device::kCpu);

/// Lays out in panels, in place, what only dense products read: every matrix, or the head alone. Nothing
/// changes where the kernels of this machine or TRISECT_FORCE want rows.
void lay_in_panels(Weights& weights, bool only_head);

}  // namespace trisect::phi2
