#include <chrono>
#include <vector>

#include "kernels/core/cuda/error.hpp"
#include "kernels/core/cuda/stream.hpp"
#include "kernels/vattention/device_granules.hpp"
#include "kernels/vattention/range_backing.hpp"
#include "kernels/vattention/vmm_cuda.hpp"

namespace trisect::vattention {
namespace {

using Problem = DeviceGranules::Problem;
using Args = DeviceGranules::Args;

int current_device() {
  int device = 0;
  TRISECT_CUDA_CALL(cudaGetDevice(&device));
  return device;
}

/// Calls the driver and adds to the time that it took.
template <class Call>
void timed(double& nanoseconds, const char* what, Call call) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  const CUresult status = call();
  nanoseconds += std::chrono::duration<double, std::nano>(Clock::now() - start).count();
  if (status != CUDA_SUCCESS) throw VmmError(status, what);
}

/// Physical memory by granules.
class Granules {
 public:
  explicit Granules(std::size_t bytes) : bytes_(bytes) {}
  ~Granules() {
    for (const auto handle : handles_) static_cast<void>(calls_.release(handle));
  }
  Granules(const Granules&) = delete;
  Granules& operator=(const Granules&) = delete;

  void create(int count, double& nanoseconds) {
    const CUmemAllocationProp memory = vmm_memory(current_device());
    while (std::ssize(handles_) < count) {
      CUmemGenericAllocationHandle handle = 0;
      timed(nanoseconds, "cannot create a granule",
            [&] { return calls_.create(&handle, bytes_, &memory, 0); });
      handles_.push_back(handle);
    }
  }
  void release(double& nanoseconds) {
    while (!handles_.empty()) {
      timed(nanoseconds, "cannot release a granule", [&] { return calls_.release(handles_.back()); });
      handles_.pop_back();
    }
  }
  const std::vector<CUmemGenericAllocationHandle>& handles() const { return handles_; }

 private:
  const VmmCalls calls_ = vmm_calls();
  const std::size_t bytes_;
  std::vector<CUmemGenericAllocationHandle> handles_;
};

/// Addresses, and what is mapped to their beginning.
class Addresses {
 public:
  Addresses(std::size_t granule, GranuleStages& stages) : granule_(granule), stages_(stages) {
    timed(stages_.reserve, "cannot reserve addresses",
          [&] { return calls_.reserve(&base_, DeviceGranules::kReserved, 0, 0, 0); });
  }
  ~Addresses() {
    if (mapped_ > 0) static_cast<void>(calls_.unmap(base_, mapped_));
    if (base_ != 0) static_cast<void>(calls_.free(base_, DeviceGranules::kReserved));
  }
  Addresses(const Addresses&) = delete;
  Addresses& operator=(const Addresses&) = delete;

  void map(const Granules& granules) {
    for (const auto handle : granules.handles()) {
      timed(stages_.map, "cannot map a granule",
            [&] { return calls_.map(base_ + mapped_, granule_, 0, handle, 0); });
      mapped_ += granule_;
    }
    const CUmemAccessDesc access = vmm_access(current_device());
    timed(stages_.set_access, "cannot make granules accessible",
          [&] { return calls_.set_access(base_, mapped_, &access, 1); });
  }
  void give_back() {
    timed(stages_.unmap, "cannot unmap granules", [&] { return calls_.unmap(base_, mapped_); });
    mapped_ = 0;
    timed(stages_.free, "cannot free addresses",
          [&] { return calls_.free(base_, DeviceGranules::kReserved); });
    base_ = 0;
  }
  std::byte* data() const { return reinterpret_cast<std::byte*>(base_); }
  std::size_t bytes() const { return mapped_; }

 private:
  const VmmCalls calls_ = vmm_calls();
  const std::size_t granule_;
  GranuleStages& stages_;
  CUdeviceptr base_ = 0;
  std::size_t mapped_ = 0;
};

/// Queues copies of each granule's first and last word.
void note(const Addresses& addresses, std::size_t granule, std::int32_t* to) {
  const cudaStream_t stream = cuda::current_stream().get();
  for (std::size_t at = 0; at < addresses.bytes(); at += granule) {
    for (const std::size_t word : {at, at + granule - sizeof *to})
      TRISECT_CUDA_CALL(
          cudaMemcpyAsync(to++, addresses.data() + word, sizeof *to, cudaMemcpyDeviceToDevice, stream));
  }
}

void use(const Addresses& addresses, std::size_t granule, const Args& args) {
  const cuda::Stream& stream = cuda::current_stream();
  timed(args.stages->zero, "cannot wipe granules", [&] {
    TRISECT_CUDA_CALL(cudaMemsetAsync(addresses.data(), 0, addresses.bytes(), stream.get()));
    stream.wait();
    return CUDA_SUCCESS;
  });
  note(addresses, granule, args.found.row<std::int32_t>(0));
  TRISECT_CUDA_CALL(
      cudaMemsetAsync(addresses.data(), DeviceGranules::kPattern & 0xff, addresses.bytes(), stream.get()));
  note(addresses, granule, args.found.row<std::int32_t>(1));
  stream.wait();
}

void cycle(const Problem& problem, const Args& args) {
  const std::size_t granule = cuda_granule(Granule::kSmall);
  Granules granules(granule);
  Addresses addresses(granule, *args.stages);
  granules.create(problem.count, args.stages->create);
  addresses.map(granules);
  use(addresses, granule, args);
  addresses.give_back();
  granules.release(args.stages->release);
}

std::shared_ptr<void> keep(const Problem& problem, const Args&) {
  const auto granules = std::make_shared<Granules>(cuda_granule(Granule::kSmall));
  double unused = 0;
  granules->create(problem.count, unused);
  return granules;
}

void cycle_pooled(const Problem&, const Args& args) {
  const std::size_t granule = cuda_granule(Granule::kSmall);
  Addresses addresses(granule, *args.stages);
  addresses.map(*static_cast<const Granules*>(args.prepared.get()));
  use(addresses, granule, args);
  addresses.give_back();
}

Availability fits(const Problem& problem) {
  if (problem.count > DeviceGranules::kMost)
    return {fmt::format("reserves addresses for {} granules", DeviceGranules::kMost)};
  return on_cuda(problem);
}

}  // namespace

std::span<const DeviceGranules::Variant> device_granules_cuda_variants() {
  static const DeviceGranules::Variant table[] = {
      {.name = "cuda", .device = Device::kCuda, .available = fits, .run = cycle},
      {.name = "cuda_pooled",
       .device = Device::kCuda,
       .available = fits,
       .run = cycle_pooled,
       .prepare = keep},
  };
  return table;
}

}  // namespace trisect::vattention
