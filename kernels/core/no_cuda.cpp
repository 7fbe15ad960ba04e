// In builds without CUDA kernels.
#include "kernels/core/device.hpp"
#include "kernels/core/error.hpp"

namespace trisect {

const std::string& why_no_cuda() {
  static const std::string reason = "this build has no CUDA kernels";
  return reason;
}

CudaFacts cuda_facts() { return {}; }

DeviceMemory& cuda_memory() { environment_error("{}", why_no_cuda()); }

}  // namespace trisect
