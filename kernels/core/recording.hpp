// Work that is queued on a device again and again, without the host's part of it.
#pragma once

#include <functional>
#include <memory>

namespace trisect {

class Recording {
 public:
  virtual ~Recording() = default;
  /// Queues it all in one call. What differs from one time to the next is read from device memory.
  virtual void replay() const = 0;
};

/// A CUDA graph of what `work` queues on cuda::current_stream(), which it has done once when this returns:
/// see cuda::Graph for what it may do. Throws Error(kEnvironment) in a build without CUDA.
std::unique_ptr<Recording> record_on_cuda(const std::function<void()>& work);

/// While it lives, profilers that were started with "capture range: cudaProfilerApi" collect. Nothing on the
/// CPU.
class ProfiledPart {
 public:
  explicit ProfiledPart(bool on_cuda);
  ProfiledPart(const ProfiledPart&) = delete;
  ProfiledPart& operator=(const ProfiledPart&) = delete;
  ~ProfiledPart();

 private:
  bool on_cuda_;
};

}  // namespace trisect
