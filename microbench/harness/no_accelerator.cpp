// In builds without CUDA kernels.
#include "kernels/core/error.hpp"
#include "microbench/harness/accelerator.hpp"

namespace trisect::microbench {

Accelerator& cuda_accelerator() { environment_error("{}", why_no_cuda()); }

}  // namespace trisect::microbench
