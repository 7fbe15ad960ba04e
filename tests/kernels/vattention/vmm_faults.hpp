// The driver's calls for virtual memory with books beside them, and with faults where a test wants them.
#pragma once

#include <cuda_runtime_api.h>

#include <array>

#include "kernels/core/cuda/stream.hpp"
#include "kernels/vattention/vmm_cuda.hpp"

namespace trisect::vattention {

/// From its making to its end, ranges made in between use calls that count and can fail. They may outlive it.
class VmmFaults {
 public:
  enum Call { kReserve, kFree, kCreate, kRelease, kMap, kUnmap, kSetAccess, kCalls };

  VmmFaults() {
    driver_ = vmm_calls();
    made_ = {};
    fails_at_ = {};
    unmapped_under_work_ = 0;
    calls_ = {reserve, free, create, release, map, unmap, set_access, driver_.granularity};
    replace_vmm_calls_for_test(&calls_);
  }
  ~VmmFaults() { replace_vmm_calls_for_test(nullptr); }
  VmmFaults(const VmmFaults&) = delete;
  VmmFaults& operator=(const VmmFaults&) = delete;

  /// Of the calls of this kind, the one after `others` more succeed says that there is no memory. Once.
  void fail(Call call, int others = 0) { fails_at_[call] = made_[call] + others + 1; }
  bool is_pending(Call call) const { return fails_at_[call] > made_[call]; }
  int made(Call call) const { return made_[call]; }  ///< calls so far, those that failed included
  /// How often memory was taken from under work that the calling thread had queued.
  int unmapped_under_work() const { return unmapped_under_work_; }

 private:
  static bool fails(Call call) { return ++made_[call] == fails_at_[call]; }

  static CUresult CUDAAPI reserve(CUdeviceptr* at, std::size_t size, std::size_t alignment,
                                  CUdeviceptr wanted, unsigned long long flags) {
    return fails(kReserve) ? CUDA_ERROR_OUT_OF_MEMORY : driver_.reserve(at, size, alignment, wanted, flags);
  }
  static CUresult CUDAAPI free(CUdeviceptr at, std::size_t size) {
    return fails(kFree) ? CUDA_ERROR_OUT_OF_MEMORY : driver_.free(at, size);
  }
  static CUresult CUDAAPI create(CUmemGenericAllocationHandle* handle, std::size_t size,
                                 const CUmemAllocationProp* memory, unsigned long long flags) {
    return fails(kCreate) ? CUDA_ERROR_OUT_OF_MEMORY : driver_.create(handle, size, memory, flags);
  }
  static CUresult CUDAAPI release(CUmemGenericAllocationHandle handle) {
    return fails(kRelease) ? CUDA_ERROR_OUT_OF_MEMORY : driver_.release(handle);
  }
  static CUresult CUDAAPI map(CUdeviceptr at, std::size_t size, std::size_t offset,
                              CUmemGenericAllocationHandle handle, unsigned long long flags) {
    return fails(kMap) ? CUDA_ERROR_OUT_OF_MEMORY : driver_.map(at, size, offset, handle, flags);
  }
  static CUresult CUDAAPI unmap(CUdeviceptr at, std::size_t size) {
    if (cudaStreamQuery(cuda::current_stream().get()) == cudaErrorNotReady) ++unmapped_under_work_;
    return fails(kUnmap) ? CUDA_ERROR_OUT_OF_MEMORY : driver_.unmap(at, size);
  }
  static CUresult CUDAAPI set_access(CUdeviceptr at, std::size_t size, const CUmemAccessDesc* access,
                                     std::size_t count) {
    return fails(kSetAccess) ? CUDA_ERROR_OUT_OF_MEMORY : driver_.set_access(at, size, access, count);
  }

  static inline VmmCalls driver_, calls_;
  static inline std::array<int, kCalls> made_{}, fails_at_{};
  static inline int unmapped_under_work_ = 0;
};

inline constexpr VmmFaults::Call kCallsOfCommit[] = {VmmFaults::kCreate, VmmFaults::kMap,
                                                     VmmFaults::kSetAccess};

}  // namespace trisect::vattention
