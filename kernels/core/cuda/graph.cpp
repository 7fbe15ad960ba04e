#include "kernels/core/cuda/graph.hpp"

#include <cuda_profiler_api.h>

#include "kernels/core/cuda/error.hpp"
#include "kernels/core/recording.hpp"

namespace trisect {
namespace cuda {
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

namespace {

class Replayed final : public Recording {
 public:
  explicit Replayed(const std::function<void()>& work) : graph_(work) {}
  void replay() const override { graph_.launch(current_stream()); }

 private:
  Graph graph_;
};

}  // namespace
}  // namespace cuda

std::unique_ptr<Recording> record_on_cuda(const std::function<void()>& work) {
  return std::make_unique<cuda::Replayed>(work);
}

ProfiledPart::ProfiledPart(bool on_cuda) : on_cuda_(on_cuda) {
  if (on_cuda_) cuda::no_throw(cudaProfilerStart());  // there may be no profiler
}
ProfiledPart::~ProfiledPart() {
  if (on_cuda_) cuda::no_throw(cudaProfilerStop());
}

}  // namespace trisect
