// Streams, events, memory, graphs and errors on a device.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "kernels/core/cuda/device.hpp"
#include "kernels/core/cuda/error.hpp"
#include "kernels/core/cuda/graph.hpp"
#include "kernels/core/cuda/stream.hpp"
#include "kernels/core/device.hpp"

namespace trisect::cuda {
namespace {

__global__ void add_kernel(int* values, int n, int what) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) values[i] += what;
}

void add(int* values, int n, int what) {
  add_kernel<<<(n + 127) / 128, 128, 0, current_stream().get()>>>(values, n, what);
  TRISECT_CUDA_LAUNCHED(add_kernel);
}

class Cuda : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!why_no_cuda().empty()) GTEST_SKIP() << why_no_cuda();
  }
};

std::vector<int> counted(int n) {
  std::vector<int> values(static_cast<std::size_t>(n));
  std::iota(values.begin(), values.end(), 0);
  return values;
}

TEST_F(Cuda, CopiesSeeWhatWasQueuedBefore) {
  const std::vector<int> in = counted(1000);
  std::vector<int> out(in.size());
  const DeviceBuffer buffer(4000);
  cuda_memory().upload(buffer.data(), in.data(), 4000);
  add(buffer.as<int>(), 1000, 5);
  cuda_memory().download(out.data(), buffer.data(), 4000);
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(out[static_cast<std::size_t>(i)], i + 5);
}

TEST_F(Cuda, AGraphReplaysItsLaunches) {
  const std::vector<int> zeros(300);
  std::vector<int> out(300);
  const DeviceBuffer buffer(1200);
  cuda_memory().upload(buffer.data(), zeros.data(), 1200);
  const Graph graph([&] {
    add(buffer.as<int>(), 300, 1);
    add(buffer.as<int>(), 300, 10);
  });  // ran once
  EXPECT_EQ(graph.nodes(), 2u);
  graph.launch(current_stream());
  graph.launch(current_stream());
  cuda_memory().download(out.data(), buffer.data(), 1200);
  EXPECT_EQ(out, std::vector<int>(300, 33));
}

TEST_F(Cuda, AGraphWhoseWorkThrowsLeavesTheStreamUsable) {
  const DeviceBuffer buffer(4);
  int runs = 0;
  EXPECT_THROW(Graph([&] {
                 if (++runs == 2) usage_error("no");
               }),
               Error);
  add(buffer.as<int>(), 1, 1);
  current_stream().wait();
}

TEST_F(Cuda, AScopeChangesTheStreamOfThisThread) {
  Stream& own = current_stream();
  Stream other;
  {
    const StreamScope scope(other);
    EXPECT_EQ(&current_stream(), &other);
  }
  EXPECT_EQ(&current_stream(), &own);
}

TEST_F(Cuda, ScratchIsKeptAndCountersAreZero) {
  Stream stream;
  std::byte* small = stream.scratch(100);
  EXPECT_EQ(stream.scratch(50), small);
  EXPECT_NE(stream.scratch(std::size_t{3} << 20), small);
  std::vector<std::uint32_t> counters(1000, 7);
  const StreamScope scope(stream);
  cuda_memory().download(counters.data(), stream.counters(1000), 4000);
  EXPECT_EQ(counters, std::vector<std::uint32_t>(1000, 0));
}

TEST_F(Cuda, EventsAreInOrder) {
  Event start, stop;
  const DeviceBuffer buffer(4);
  start.record(current_stream());
  add(buffer.as<int>(), 1, 1);
  stop.record(current_stream());
  stop.wait();
  EXPECT_GE(seconds_between(start, stop), 0);
}

TEST_F(Cuda, TheDeviceSaysWhatItIs) {
  const DeviceInfo& info = device_info();
  EXPECT_FALSE(info.name.empty());
  EXPECT_GE(info.major, 8);
  EXPECT_GT(info.sms, 0);
  EXPECT_GE(info.shared_per_block, std::size_t{48} << 10);
  EXPECT_GT(info.memory_bytes, 0u);
}

TEST_F(Cuda, AnErrorNamesCallPlaceAndCause) {
  try {
    TRISECT_CUDA_CALL(cudaSetDevice(999));
    FAIL() << "a thousand devices";
  } catch (const CudaError& error) {
    EXPECT_EQ(error.code(), ExitCode::kCheckFailed);
    EXPECT_THAT(std::string(error.what()), ::testing::HasSubstr("cudaSetDevice(999) at cuda_test.cu:"));
    EXPECT_THAT(std::string(error.what()), ::testing::HasSubstr("cudaErrorInvalidDevice"));
  }
  static_cast<void>(cudaGetLastError());
}

TEST_F(Cuda, MemoryThatIsNotThereIsRefusedWithBothSizes) {
  try {
    const DeviceBuffer buffer(std::size_t{1} << 50);
    FAIL() << "a petabyte";
  } catch (const CudaError& error) {
    EXPECT_EQ(error.code(), ExitCode::kEnvironment);
    EXPECT_THAT(std::string(error.what()), ::testing::HasSubstr("cudaMalloc of 1125899906.8 MB with "));
    EXPECT_THAT(std::string(error.what()), ::testing::HasSubstr(" MB free"));
  }
  const DeviceBuffer buffer(64);  // the refusal is forgotten
}

TEST_F(Cuda, LargeUploadsArriveWhole) {
  std::vector<int> in = counted((40 << 20) / 4 + 3), out(in.size());
  const DeviceBuffer buffer(in.size() * 4);
  cuda_memory().upload(buffer.data(), in.data(), in.size() * 4);
  cuda_memory().download(out.data(), buffer.data(), out.size() * 4);
  EXPECT_EQ(in, out);
}

// A fault is for good, so it happens in a process of its own. It must not pass for a missing device.
TEST_F(Cuda, AFaultIsAFailure) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto fault = [] {
    try {
      add(nullptr, 1, 1);
      current_stream().wait();
    } catch (const CudaError& error) {
      std::fprintf(stderr, "code %d, %s\n", static_cast<int>(error.code()), error.what());
      std::fprintf(stderr, "why not: '%s'\n", why_no_cuda().c_str());
      std::exit(7);
    }
  };
  EXPECT_EXIT(fault(), ::testing::ExitedWithCode(7), "code 1, CUDA: cudaStreamSynchronize.*why not: ''");
}

}  // namespace
}  // namespace trisect::cuda
