#include <cstring>

#include "kernels/core/cuda/error.hpp"
#include "kernels/core/cuda/memory.hpp"
#include "kernels/core/cuda/stream.hpp"
#include "kernels/vattention/kv_table.hpp"

namespace trisect::vattention {
namespace {

class CudaMirror final : public TableMirror {
 public:
  explicit CudaMirror(std::size_t size)
      : there_(size * sizeof(std::int32_t)), staging_(size * sizeof(std::int32_t)) {}

  const std::int32_t* data() const override { return there_.as<std::int32_t>(); }

  void upload(const std::int32_t* table, std::size_t first, std::size_t count) override {
    copied_.wait();  // until the staging memory has been read; before the first copy there is nothing to wait
                     // for
    const std::size_t bytes = count * sizeof(std::int32_t);
    std::memcpy(staging_.as<std::int32_t>() + first, table + first, bytes);
    const cuda::Stream& stream = cuda::current_stream();
    TRISECT_CUDA_CALL(cudaMemcpyAsync(there_.as<std::int32_t>() + first, staging_.as<std::int32_t>() + first,
                                      bytes, cudaMemcpyHostToDevice, stream.get()));
    copied_.record(stream);
  }

 private:
  cuda::DeviceBuffer there_;
  cuda::PinnedBuffer staging_;
  cuda::Event copied_;
};

}  // namespace

std::unique_ptr<TableMirror> mirror_on_cuda(std::size_t size) { return std::make_unique<CudaMirror>(size); }

}  // namespace trisect::vattention
