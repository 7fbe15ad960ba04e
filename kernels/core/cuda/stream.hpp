// Streams, and the one that kernels are queued on.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <vector>

#include "kernels/core/cuda/memory.hpp"

namespace trisect::cuda {

/// Work queued on one stream runs in order. Owns the memory that kernels queued on it need between them. Not
/// thread-safe: one thread at a time.
class Stream {
 public:
  Stream();  ///< does not wait for the legacy default stream
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream();

  cudaStream_t get() const { return stream_; }
  /// Until all that is queued has run; throws CudaError when any of it faulted.
  void wait() const;

  /// Device memory for intermediate results of one call, undefined contents, aligned to 256 bytes; the next
  /// call to scratch() hands out the same bytes. Blocks that became too small are kept, since queued kernels
  /// and captured graphs may refer to them. It cannot grow while a graph is captured: run once before.
  std::byte* scratch(std::size_t bytes);
  /// Zeros, which every kernel must leave as zeros.
  std::uint32_t* counters(std::size_t count);

 private:
  cudaStream_t stream_ = nullptr;
  std::vector<DeviceBuffer> scratch_, counters_;
};

/// The stream of this thread: one of its own, or that of the innermost StreamScope.
Stream& current_stream();

class StreamScope {
 public:
  explicit StreamScope(Stream& stream);
  StreamScope(const StreamScope&) = delete;
  StreamScope& operator=(const StreamScope&) = delete;
  ~StreamScope();

 private:
  Stream* outer_;
};

/// A moment on a stream's timeline.
class Event {
 public:
  Event();
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  ~Event();

  void record(const Stream& stream);
  void wait() const;  ///< until the moment has passed
  cudaEvent_t get() const { return event_; }

 private:
  cudaEvent_t event_ = nullptr;
};

/// Of two moments that have passed.
double seconds_between(const Event& start, const Event& stop);

}  // namespace trisect::cuda
