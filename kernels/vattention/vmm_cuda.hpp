// The CUDA driver's calls for virtual memory. They are found at run time, so that no program is linked to the
// driver: one without a GPU must start too.
#pragma once

#include <cuda.h>

#include <cstddef>
#include <string>

#include "kernels/core/error.hpp"

namespace trisect::vattention {

struct VmmCalls {
  decltype(&cuMemAddressReserve) reserve = nullptr;
  decltype(&cuMemAddressFree) free = nullptr;
  decltype(&cuMemCreate) create = nullptr;
  decltype(&cuMemRelease) release = nullptr;
  decltype(&cuMemMap) map = nullptr;
  decltype(&cuMemUnmap) unmap = nullptr;
  decltype(&cuMemSetAccess) set_access = nullptr;
  decltype(&cuMemGetAllocationGranularity) granularity = nullptr;
};

/// Those of the driver, or what a test put in their place. Throws Error(kEnvironment) without a device, or
/// with one that has no virtual memory management.
const VmmCalls& vmm_calls();
/// Null puts the driver's back. Ranges keep the calls that were in place when they were made.
void replace_vmm_calls_for_test(const VmmCalls* calls);

/// kEnvironment where the device lacks memory or addresses, kCheckFailed where the driver calls it our
/// mistake. what() says what could not be done, the driver's name for the reason, and a remedy where there is
/// one.
class VmmError : public Error {
 public:
  VmmError(CUresult status, const std::string& what);
  CUresult status() const noexcept { return status_; }

 private:
  CUresult status_;
};

/// Memory of the current device, as cuMemCreate and cuMemSetAccess want it described.
CUmemAllocationProp vmm_memory(int device);
CUmemAccessDesc vmm_access(int device);

}  // namespace trisect::vattention
