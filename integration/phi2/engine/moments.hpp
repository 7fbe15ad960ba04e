// Second moments of activations, and their principal directions.
#pragma once

#include <Eigen/Core>

#include "kernels/core/buffer.hpp"

namespace trisect::phi2 {

using Moments = Eigen::MatrixXd;

/// sum += x^T x for f32 x [rows][n]. A block's products are summed in f32, blocks in f64: the error, 1e-6 of
/// the diagonal for blocks of 512 rows, is far below any damping.
void add_moments(const View& x, Moments& sum);

/// Fills q, f32 [n][n], with the eigenvectors of moments + damping * mean(diagonal) * I as columns, the
/// largest eigenvalue first.
void principal_directions(Moments moments, double damping, const View& q);

}  // namespace trisect::phi2
