// The weights that LaRoSA's modes run on: transforms that change what is stored and not, as long as nothing
// is dropped, what is computed. Sparsity is not their business.
#pragma once

#include <vector>

#include "integration/phi2/model/rotations.hpp"
#include "integration/phi2/model/weights.hpp"

namespace trisect::phi2 {

/// naive: rotate, select, scatter, rotate back, dense product; the weights stay as they are.
/// online: LN(x) is rotated at every layer, and Q is absorbed in q|k|v|fc1.
/// merged: Q is absorbed on both sides, and the residual stream itself is rotated.
enum class LarosaMode { kNaive, kOnline, kMerged };

/// Matrices that stay beside the weights, in the weights' type, [hidden][hidden]. `rotation` and
/// `rotation_back` have one a layer, or one that all layers share, or none.
struct LarosaWeights {
  Weights weights;
  std::vector<Tensor> rotation;       ///< Q: naive and online
  std::vector<Tensor> rotation_back;  ///< Q^T: naive
  std::vector<Tensor>
      adapter;  ///< Q_l^T Q_(l+1): merged, one a layer but the last; none where all share one Q

  std::size_t matrix_bytes() const;
};

/// Takes the weights over and returns them transformed in place, layer by layer, computed in f32 and rounded
/// once; the rotations are read one at a time. Throws Error(kUsage) when the rotations are for another mode's
/// space.
LarosaWeights transform(Weights weights, const RotationSource& rotations, LarosaMode mode,
                        const Progress& progress = {});

/// Brings them to a device, as move_weights() does.
LarosaWeights move_weights(LarosaWeights weights, Device device, const Progress& progress = {});

/// transform() for merged (SliceGPT, arXiv:2401.15024; QuaRot, arXiv:2404.00456). With c the input of a layer
/// less its mean, LN(x) = rms(c) * gain + bias, and rms() commutes with rotations:
///   embedding      E less each row's mean, times Q_0
///   q|k|v|fc1      Q_l^T diag(gain) W, and bias + norm_bias W
///   dense, fc2     W less each row's mean, times Q_(l+1); their bias likewise
///   head           Q_last^T diag(gain) W, and bias + norm_bias W
/// The residual stream then is c Q_l. Passing from layer l to the next takes the adapter Q_l^T Q_(l+1),
/// except after the last layer, where Q may stay. Gains are left 1 and biases 0: run it with larosa/rmsnorm.
LarosaWeights merge(Weights weights, const RotationSource& rotations, const Progress& progress = {});

}  // namespace trisect::phi2
