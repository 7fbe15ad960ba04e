// A virtual range on a GPU. Every granule has a physical allocation of its own, so that each can go back, or
// to another place, by itself; addresses are mapped granule by granule and made accessible once for each
// stretch of them. What decommit() keeps waits in a pool: creating memory takes longer than mapping it.
#include <algorithm>
#include <mutex>
#include <vector>

#include "kernels/core/cuda/error.hpp"
#include "kernels/core/cuda/stream.hpp"
#include "kernels/vattention/range_backing.hpp"
#include "kernels/vattention/vmm_cuda.hpp"

namespace trisect::vattention {
namespace {

using Handle = CUmemGenericAllocationHandle;

void check(CUresult status, const std::string& what) {
  if (status != CUDA_SUCCESS) throw VmmError(status, what);
}

int current_device() {
  int device = 0;
  TRISECT_CUDA_CALL(cudaGetDevice(&device));
  return device;
}

/// The driver's calls work in a context, which the runtime gives to a thread with its first call.
void enter(int device) {
  TRISECT_CUDA_CALL(cudaSetDevice(device));
  TRISECT_CUDA_CALL(cudaFree(nullptr));
}

class CudaBacking final : public RangeBacking {
 public:
  CudaBacking(int segments, std::size_t stride, std::size_t granule)
      : calls_(vmm_calls()),
        device_(current_device()),
        granule_(granule),
        stride_(stride),
        reserved_(stride * static_cast<std::size_t>(segments)) {
    enter(device_);
    CUresult status = calls_.reserve(&base_, reserved_, 0, 0, 0);
    if (status == CUDA_ERROR_INVALID_VALUE)
      status = CUDA_ERROR_OUT_OF_MEMORY;  // more than any address reaches
    check(status,
          fmt::format("cannot reserve {:.1f} MB of device addresses", static_cast<double>(reserved_) / 1e6));
    try {
      granules_.resize(reserved_ / granule_);
    } catch (...) {
      static_cast<void>(calls_.free(base_, reserved_));
      throw;
    }
  }

  /// Nothing can be done about an error here; whatever is left then is the process's until it ends.
  ~CudaBacking() override {
    cuda::no_throw(cudaSetDevice(device_));
    cuda::no_throw(cudaDeviceSynchronize());  // kernels may be at work on it
    for (std::size_t at = 0; at < granules_.size(); ++at) {
      if (granules_[at].mapped) static_cast<void>(take_back(at, at + 1, Decommit::kReturn));
    }
    for (const Handle handle : kept_) static_cast<void>(calls_.release(handle));
    static_cast<void>(calls_.free(base_, reserved_));
  }
  CudaBacking(const CudaBacking&) = delete;
  CudaBacking& operator=(const CudaBacking&) = delete;

  std::byte* base() const override { return reinterpret_cast<std::byte*>(base_); }

  void commit(int segment, std::size_t first, std::size_t last, Commit how) override {
    if (how == Commit::kOnFirstWrite) {
      usage_error("device memory cannot be committed by the first write to it: 'lazy' is for the CPU");
    }
    enter(device_);
    const std::size_t begin = index_of(segment, first), end = index_of(segment, last);
    std::vector<std::size_t> fresh;  // begin and end of each stretch that this call maps
    try {
      for (std::size_t at = begin; at < end;) {
        std::size_t stop = at;
        while (stop < end && !granules_[stop].mapped) ++stop;
        if (stop > at) {
          fresh.insert(fresh.end(), {at, at});
          map(at, stop, fresh.back());
        }
        at = std::max(stop, at + 1);
      }
      for (std::size_t i = 0; i < fresh.size(); i += 2) {
        zero(reinterpret_cast<std::byte*>(address(fresh[i])), (fresh[i + 1] - fresh[i]) * granule_);
      }
    } catch (...) {
      // What came from the pool goes back to the system too: memory was asked for and is short.
      cuda::no_throw(cudaStreamSynchronize(cuda::current_stream().get()));
      for (std::size_t i = 0; i < fresh.size(); i += 2)
        static_cast<void>(take_back(fresh[i], fresh[i + 1], Decommit::kReturn));
      throw;
    }
  }

  void decommit(int segment, std::size_t first, std::size_t last, Decommit to) override {
    enter(device_);
    cuda::current_stream().wait();  // what is queued there may use it
    const std::size_t begin = index_of(segment, first), end = index_of(segment, last);
    for (std::size_t at = begin; at < end;) {
      std::size_t stop = at;
      while (stop < end && granules_[stop].mapped) ++stop;
      if (stop > at) {
        check(take_back(at, stop, to),
              fmt::format("cannot decommit {} bytes of a KV cache", (stop - at) * granule_));
      }
      at = std::max(stop, at + 1);
    }
  }

  void trim() noexcept override {
    cuda::no_throw(cudaSetDevice(device_));
    const std::lock_guard lock(mutex_);
    while (!kept_.empty() && calls_.release(kept_.back()) == CUDA_SUCCESS) {
      kept_.pop_back();
      held_ -= granule_;
    }
  }

  void zero(std::byte* first, std::size_t bytes) override {
    TRISECT_CUDA_CALL(cudaMemsetAsync(first, 0, bytes, cuda::current_stream().get()));
  }
  void copy(std::byte* to, const std::byte* from, std::size_t bytes) override {
    TRISECT_CUDA_CALL(
        cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, cuda::current_stream().get()));
  }

  VirtualRange::Moment now() const override {
    auto event = std::make_shared<cuda::Event>();
    event->record(cuda::current_stream());
    return event;
  }
  void await(const VirtualRange::Moment& moment) const override {
    static_cast<const cuda::Event*>(moment.get())->wait();
  }

  std::size_t resident() const override {
    const std::lock_guard lock(mutex_);
    return held_;
  }

 private:
  struct GranuleState {
    Handle handle = 0;
    bool mapped = false;
  };

  std::size_t index_of(int segment, std::size_t offset) const {
    return (static_cast<std::size_t>(segment) * stride_ + offset) / granule_;
  }
  CUdeviceptr address(std::size_t index) const { return base_ + index * granule_; }

  Handle obtain() {
    const std::lock_guard lock(mutex_);
    Handle handle = 0;
    if (!kept_.empty()) {
      handle = kept_.back();
      kept_.pop_back();
      return handle;
    }
    const CUmemAllocationProp memory = vmm_memory(device_);
    check(calls_.create(&handle, granule_, &memory, 0),
          fmt::format("cannot commit {} more bytes of device memory for a KV cache", granule_));
    held_ += granule_;
    return handle;
  }

  /// Granules [first, last), none of which is mapped; `done` follows what is, so that it can be undone.
  void map(std::size_t first, std::size_t last, std::size_t& done) {
    for (done = first; done < last; ++done) {
      const Handle handle = obtain();
      const CUresult status = calls_.map(address(done), granule_, 0, handle, 0);
      if (status != CUDA_SUCCESS) {
        static_cast<void>(give_up(handle));
        throw VmmError(status, "cannot map memory of a KV cache");
      }
      granules_[done] = {handle, true};
    }
    const CUmemAccessDesc access = vmm_access(device_);
    check(calls_.set_access(address(first), (last - first) * granule_, &access, 1),
          "cannot make memory of a KV cache accessible");
  }

  CUresult give_up(Handle handle) {
    const std::lock_guard lock(mutex_);
    const CUresult status = calls_.release(handle);
    if (status == CUDA_SUCCESS) held_ -= granule_;
    return status;
  }

  /// Mapped granules [first, last). Where unmapping fails they stay what they were.
  CUresult take_back(std::size_t first, std::size_t last, Decommit to) {
    if (first == last) return CUDA_SUCCESS;
    CUresult status = calls_.unmap(address(first), (last - first) * granule_);
    if (status != CUDA_SUCCESS) return status;
    for (std::size_t at = first; at < last; ++at) {
      const Handle handle = granules_[at].handle;
      granules_[at] = {};
      if (to == Decommit::kKeep) {
        const std::lock_guard lock(mutex_);
        kept_.push_back(handle);
      } else if (const CUresult one = give_up(handle); one != CUDA_SUCCESS) {
        status = one;
      }
    }
    return status;
  }

  const VmmCalls calls_;
  const int device_;
  const std::size_t granule_, stride_, reserved_;
  std::vector<GranuleState> granules_;  // of a segment, the thread's that works on it
  CUdeviceptr base_ = 0;
  mutable std::mutex mutex_;  // over what follows
  std::vector<Handle> kept_;
  std::size_t held_ = 0;  // bytes of physical memory, mapped or kept
};

}  // namespace

std::size_t cuda_granule(Granule granule) {
  const VmmCalls& calls = vmm_calls();
  const int device = current_device();
  enter(device);
  const CUmemAllocationProp memory = vmm_memory(device);
  std::size_t bytes = 0;
  check(calls.granularity(&bytes, &memory,
                          granule == Granule::kSmall ? CU_MEM_ALLOC_GRANULARITY_MINIMUM
                                                     : CU_MEM_ALLOC_GRANULARITY_RECOMMENDED),
        "cannot ask for the granularity of device memory");
  return bytes;
}

std::unique_ptr<RangeBacking> reserve_cuda(int segments, std::size_t stride, std::size_t granule) {
  return std::make_unique<CudaBacking>(segments, stride, granule);
}

}  // namespace trisect::vattention
