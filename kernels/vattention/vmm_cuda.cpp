#include "kernels/vattention/vmm_cuda.hpp"

#include <cuda_runtime_api.h>

#include "kernels/core/cuda/error.hpp"
#include "kernels/core/device.hpp"

namespace trisect::vattention {
namespace {

const VmmCalls* in_their_place = nullptr;

template <class Fn>
void find(Fn& fn, const char* name, unsigned since) {
  void* found = nullptr;
  cudaDriverEntryPointQueryResult result{};
#if CUDART_VERSION >= 12050
  const cudaError_t status =
      cudaGetDriverEntryPointByVersion(name, &found, since, cudaEnableDefault, &result);
#else
  static_cast<void>(since);
  const cudaError_t status = cudaGetDriverEntryPoint(name, &found, cudaEnableDefault, &result);
#endif
  if (status != cudaSuccess || found == nullptr) {
    static_cast<void>(cudaGetLastError());
    environment_error("the CUDA driver has no {}: virtual memory needs driver 450 or later", name);
  }
  fn = reinterpret_cast<Fn>(found);
}

constexpr unsigned kSince = 10020;

VmmCalls of_driver() {
  if (!why_no_cuda().empty()) environment_error("{}", why_no_cuda());
  VmmCalls calls;
  find(calls.reserve, "cuMemAddressReserve", kSince);
  find(calls.free, "cuMemAddressFree", kSince);
  find(calls.create, "cuMemCreate", kSince);
  find(calls.release, "cuMemRelease", kSince);
  find(calls.map, "cuMemMap", kSince);
  find(calls.unmap, "cuMemUnmap", kSince);
  find(calls.set_access, "cuMemSetAccess", kSince);
  find(calls.granularity, "cuMemGetAllocationGranularity", kSince);
  return calls;
}

std::string reason_of(CUresult status) {
  decltype(&cuGetErrorName) name_of = nullptr;
  decltype(&cuGetErrorString) text_of = nullptr;
  find(name_of, "cuGetErrorName", 6000);
  find(text_of, "cuGetErrorString", 6000);
  const char *name = nullptr, *text = nullptr;
  if (name_of(status, &name) != CUDA_SUCCESS || text_of(status, &text) != CUDA_SUCCESS)
    return fmt::format("CUresult {}", static_cast<int>(status));
  return fmt::format("{} ({})", text, name);
}

ExitCode code_of(CUresult status) {
  switch (status) {
    case CUDA_ERROR_OUT_OF_MEMORY:
    case CUDA_ERROR_NO_DEVICE:
    case CUDA_ERROR_NOT_SUPPORTED:
    case CUDA_ERROR_NOT_PERMITTED:
    case CUDA_ERROR_OPERATING_SYSTEM:
    case CUDA_ERROR_NOT_INITIALIZED:
    case CUDA_ERROR_DEINITIALIZED:
      return ExitCode::kEnvironment;
    default:
      return ExitCode::kCheckFailed;
  }
}

}  // namespace

const VmmCalls& vmm_calls() {
  if (in_their_place != nullptr) return *in_their_place;
  static const VmmCalls calls = of_driver();
  return calls;
}

void replace_vmm_calls_for_test(const VmmCalls* calls) { in_their_place = calls; }

VmmError::VmmError(CUresult status, const std::string& what)
    : Error(code_of(status), fmt::format("{}: {}{}", what, reason_of(status),
                                         code_of(status) == ExitCode::kEnvironment
                                             ? "; lower the batch, the context or the budget"
                                             : "")),
      status_(status) {}

CUmemAllocationProp vmm_memory(int device) {
  CUmemAllocationProp memory{};
  memory.type = CU_MEM_ALLOCATION_TYPE_PINNED;
  memory.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
  memory.location.id = device;
  return memory;
}

CUmemAccessDesc vmm_access(int device) {
  CUmemAccessDesc access{};
  access.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
  access.location.id = device;
  access.flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
  return access;
}

}  // namespace trisect::vattention
