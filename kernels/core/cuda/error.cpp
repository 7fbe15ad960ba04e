#include "kernels/core/cuda/error.hpp"

#include <filesystem>

namespace trisect::cuda {
namespace {

ExitCode code_of(cudaError_t status) {
  switch (status) {
    case cudaErrorMemoryAllocation:
    case cudaErrorNoDevice:
    case cudaErrorInsufficientDriver:
    case cudaErrorInitializationError:
    case cudaErrorDevicesUnavailable:
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorUnsupportedPtxVersion:
    case cudaErrorSystemNotReady:
    case cudaErrorSystemDriverMismatch:
      return ExitCode::kEnvironment;
    default:
      return ExitCode::kCheckFailed;
  }
}

}  // namespace

CudaError::CudaError(cudaError_t status, const char* call, const std::source_location& where)
    : Error(code_of(status), fmt::format("CUDA: {} at {}:{}: {} ({})", call,
                                         std::filesystem::path(where.file_name()).filename().string(),
                                         where.line(), cudaGetErrorString(status), cudaGetErrorName(status))),
      status_(status) {}

}  // namespace trisect::cuda
