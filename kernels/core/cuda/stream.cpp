#include "kernels/core/cuda/stream.hpp"

#include <algorithm>
#include <memory>

#include "kernels/core/cuda/error.hpp"

namespace trisect::cuda {
namespace {

constexpr std::size_t kSmallest = std::size_t{1} << 20;

thread_local Stream* innermost = nullptr;

}  // namespace

Stream::Stream() { TRISECT_CUDA_CALL(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking)); }

Stream::~Stream() {
  no_throw(cudaStreamSynchronize(stream_));
  no_throw(cudaStreamDestroy(stream_));
}

void Stream::wait() const { TRISECT_CUDA_CALL(cudaStreamSynchronize(stream_)); }

std::byte* Stream::scratch(std::size_t bytes) {
  if (scratch_.empty() || scratch_.back().bytes() < bytes) {
    const std::size_t last = scratch_.empty() ? kSmallest : 2 * scratch_.back().bytes();
    scratch_.emplace_back(std::max(bytes, last));
  }
  return scratch_.back().data();
}

std::uint32_t* Stream::counters(std::size_t count) {
  if (counters_.empty() || counters_.back().bytes() < count * sizeof(std::uint32_t)) {
    const std::size_t bytes = std::max(2 * count * sizeof(std::uint32_t), kSmallest / 16);
    counters_.emplace_back(bytes);
    TRISECT_CUDA_CALL(cudaMemsetAsync(counters_.back().data(), 0, bytes, stream_));
  }
  return counters_.back().as<std::uint32_t>();
}

Stream& current_stream() {
  if (innermost != nullptr) return *innermost;
  thread_local const std::unique_ptr<Stream> own = std::make_unique<Stream>();
  return *own;
}

StreamScope::StreamScope(Stream& stream) : outer_(innermost) { innermost = &stream; }
StreamScope::~StreamScope() { innermost = outer_; }

Event::Event() { TRISECT_CUDA_CALL(cudaEventCreate(&event_)); }
Event::~Event() { no_throw(cudaEventDestroy(event_)); }
void Event::record(const Stream& stream) { TRISECT_CUDA_CALL(cudaEventRecord(event_, stream.get())); }
void Event::wait() const { TRISECT_CUDA_CALL(cudaEventSynchronize(event_)); }

double seconds_between(const Event& start, const Event& stop) {
  float milliseconds = 0;
  TRISECT_CUDA_CALL(cudaEventElapsedTime(&milliseconds, start.get(), stop.get()));
  return double{milliseconds} * 1e-3;
}

}  // namespace trisect::cuda
