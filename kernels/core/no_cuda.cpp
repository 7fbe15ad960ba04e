// In builds without CUDA kernels.
#include "kernels/core/device.hpp"
#include "kernels/core/error.hpp"
#include "kernels/core/recording.hpp"

namespace trisect {

const std::string& why_no_cuda() {
  static const std::string reason = "this build has no CUDA kernels";
  return reason;
}

CudaFacts cuda_facts() { return {}; }

DeviceMemory& cuda_memory() { environment_error("{}", why_no_cuda()); }

std::unique_ptr<Recording> record_on_cuda(const std::function<void()>&) {
  environment_error("{}", why_no_cuda());
}

ProfiledPart::ProfiledPart(bool on_cuda) : on_cuda_(on_cuda) {}
ProfiledPart::~ProfiledPart() = default;

}  // namespace trisect
