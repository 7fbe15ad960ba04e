#include "kernels/core/cuda/graph.hpp"

#include "kernels/core/cuda/error.hpp"

namespace trisect::cuda {
namespace {

/// Ends the capture also when the work throws: a stream left capturing is of no use to anybody.
cudaGraph_t record(const std::function<void()>& work, const Stream& stream) {
  cudaGraph_t graph = nullptr;
  TRISECT_CUDA_CALL(cudaStreamBeginCapture(stream.get(), cudaStreamCaptureModeThreadLocal));
  try {
    work();
  } catch (...) {
    no_throw(cudaStreamEndCapture(stream.get(), &graph));
    if (graph != nullptr) no_throw(cudaGraphDestroy(graph));
    throw;
  }
  TRISECT_CUDA_CALL(cudaStreamEndCapture(stream.get(), &graph));
  return graph;
}

}  // namespace

Graph::Graph(const std::function<void()>& work) {
  const Stream& stream = current_stream();
  work();
  stream.wait();
  cudaGraph_t graph = record(work, stream);
  cudaError_t status = cudaGraphGetNodes(graph, nullptr, &nodes_);
  if (status == cudaSuccess) status = cudaGraphInstantiate(&executable_, graph, 0);
  no_throw(cudaGraphDestroy(graph));
  check(status, "cudaGraphInstantiate");
}

Graph::~Graph() {
  if (executable_ != nullptr) no_throw(cudaGraphExecDestroy(executable_));
}

void Graph::launch(const Stream& stream) const {
  TRISECT_CUDA_CALL(cudaGraphLaunch(executable_, stream.get()));
}

}  // namespace trisect::cuda
