// A sequence of launches recorded once and replayed as one.
#pragma once

#include <cuda_runtime_api.h>

#include <functional>

#include "kernels/core/cuda/stream.hpp"

namespace trisect::cuda {

class Graph {
 public:
  /// Runs `work` on the current stream once, so that memory and handles are there, then records it. `work`
  /// must queue the same launches with the same pointers every time, and may not wait. The memory it refers
  /// to, the stream's scratch included, must outlive the graph.
  explicit Graph(const std::function<void()>& work);
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;
  ~Graph();

  void launch(const Stream& stream) const;
  std::size_t nodes() const { return nodes_; }  ///< kernels, copies and fills

 private:
  cudaGraphExec_t executable_ = nullptr;
  std::size_t nodes_ = 0;
};

}  // namespace trisect::cuda
