// Errors of the CUDA runtime as exceptions.
#pragma once

#include <cuda_runtime_api.h>

#include <source_location>

#include "kernels/core/error.hpp"

namespace trisect::cuda {

/// kEnvironment where the machine lacks something (memory, a device, a driver), kCheckFailed where a kernel
/// faulted or was launched wrongly. what() names the call, its place and the error.
class CudaError : public Error {
 public:
  CudaError(cudaError_t status, const char* call, const std::source_location& where);
  cudaError_t status() const noexcept { return status_; }

 private:
  cudaError_t status_;
};

inline void check(cudaError_t status, const char* call,
                  const std::source_location& where = std::source_location::current()) {
  if (status != cudaSuccess) throw CudaError(status, call, where);
}

/// For destructors: nothing can be done there, and the error of a fault is returned by the next call too.
inline void no_throw(cudaError_t) noexcept {}

}  // namespace trisect::cuda

/// Calls the runtime and throws what it returns, with the text of the call and its place.
#define TRISECT_CUDA_CALL(call) ::trisect::cuda::check((call), #call)
/// Behind every kernel<<<>>>: what was wrong with the launch itself.
#define TRISECT_CUDA_LAUNCHED(kernel) ::trisect::cuda::check(cudaPeekAtLastError(), "launch of " #kernel)
