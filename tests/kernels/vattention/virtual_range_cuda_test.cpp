// Virtual ranges on a device: what its driver is asked for, and what happens when it refuses.
#include <cuda_runtime_api.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <functional>

#include "kernels/core/cuda/device.hpp"
#include "kernels/core/cuda/error.hpp"
#include "kernels/vattention/virtual_range.hpp"
#include "tests/kernels/vattention/vmm_faults.hpp"

namespace trisect::vattention {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr std::size_t kGiB = std::size_t{1} << 30;

std::size_t free_bytes() {
  std::size_t free = 0, total = 0;
  TRISECT_CUDA_CALL(cudaMemGetInfo(&free, &total));
  return free;
}

std::vector<std::byte> read(const std::byte* from, std::size_t bytes) {
  std::vector<std::byte> here(bytes);
  cuda_memory().download(here.data(), from, bytes);
  return here;
}

bool all_are(const std::byte* from, std::size_t bytes, std::byte what) {
  const std::vector<std::byte> here = read(from, bytes);
  return std::all_of(here.begin(), here.end(), [&](std::byte b) { return b == what; });
}

void fill(std::byte* at, std::size_t bytes, int what) {
  TRISECT_CUDA_CALL(cudaMemsetAsync(at, what, bytes, cuda::current_stream().get()));
}

bool readable(const std::byte* at) {
  std::byte here{};
  const bool yes = cudaMemcpy(&here, at, 1, cudaMemcpyDeviceToHost) == cudaSuccess;
  static_cast<void>(cudaGetLastError());
  return yes;
}

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kEnvironment);
    return error.what();
  }
  return "";
}

class CudaRange : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!why_no_cuda().empty()) GTEST_SKIP() << why_no_cuda();
    granule_ = bytes_of(Granule::kSmall, Device::kCuda);
  }
  VirtualRange range(int segments, int granules) const {
    return VirtualRange(segments, static_cast<std::size_t>(granules) * granule_, Granule::kSmall,
                        Device::kCuda);
  }
  std::size_t granule_ = 0;
};

TEST_F(CudaRange, SixtyFourGigabytesCostNothing) {
  const std::size_t before = free_bytes();
  const VirtualRange range(64, kGiB, Granule::kSmall, Device::kCuda);
  EXPECT_EQ(range.reserved(), 64 * kGiB);
  EXPECT_EQ(range.resident(), 0u);
  if (cuda::device_info().emulated) {
    EXPECT_EQ(free_bytes(), before);
  }
  EXPECT_FALSE(readable(range.segment(63)));
}

TEST_F(CudaRange, CommitsWholeGranulesOfZeros) {
  const std::size_t before = free_bytes();
  {
    VirtualRange range = this->range(3, 6);
    range.commit(1, granule_ + 7, 3 * granule_ - 9);
    EXPECT_EQ(range.resident(), 2 * granule_);
    if (cuda::device_info().emulated) {
      EXPECT_EQ(before - free_bytes(), 2 * granule_);
    }
    EXPECT_TRUE(all_are(range.segment(1) + granule_, 2 * granule_, std::byte{0}));
    EXPECT_FALSE(readable(range.segment(1) + granule_ - 1));
    EXPECT_FALSE(readable(range.segment(1) + 3 * granule_));
    EXPECT_FALSE(readable(range.segment(2)));
    fill(range.segment(1) + granule_, granule_, 42);
    range.commit(1, 0, 6 * granule_);  // what is there stays
    EXPECT_EQ(range.resident(), 6 * granule_);
    EXPECT_TRUE(all_are(range.segment(1) + granule_, granule_, std::byte{42}));
    EXPECT_TRUE(all_are(range.segment(1) + 3 * granule_, 3 * granule_, std::byte{0}));
  }
  if (cuda::device_info().emulated) {
    EXPECT_EQ(free_bytes(), before);
  }
}

TEST_F(CudaRange, AsksForAccessOnceForEachStretch) {
  const VmmFaults faults;
  VirtualRange range = this->range(1, 9);
  range.commit(0, 0, 4 * granule_);
  EXPECT_EQ(faults.made(VmmFaults::kMap), 4);
  EXPECT_EQ(faults.made(VmmFaults::kSetAccess), 1);
  range.commit(0, 3 * granule_, 5 * granule_);
  EXPECT_EQ(faults.made(VmmFaults::kMap), 5);
  EXPECT_EQ(faults.made(VmmFaults::kSetAccess), 2);
  range.commit(0, 0, 5 * granule_);
  EXPECT_EQ(faults.made(VmmFaults::kMap), 5);
  EXPECT_EQ(faults.made(VmmFaults::kSetAccess), 2);
}

TEST_F(CudaRange, DecommittedReturnsWholeGranules) {
  VirtualRange range = this->range(1, 4);
  range.commit(0, 0, 4 * granule_);
  range.decommit(0, granule_ + 1, 4 * granule_);  // not the granule that is cut
  EXPECT_EQ(range.resident(), 2 * granule_);
  range.decommit(0, 0, 2 * granule_ - 1);
  EXPECT_EQ(range.resident(), granule_);
  EXPECT_FALSE(readable(range.segment(0)));
  EXPECT_TRUE(readable(range.segment(0) + granule_));
  range.decommit(0, 0, 4 * granule_);
  EXPECT_EQ(range.resident(), 0u);
}

TEST_F(CudaRange, KeptMemoryIsUsedAgainAndWiped) {
  const VmmFaults faults;
  VirtualRange range = this->range(2, 4);
  range.commit(0, 0, 3 * granule_);
  fill(range.segment(0), 3 * granule_, 42);
  range.decommit(0, 0, 3 * granule_, Decommit::kKeep);
  EXPECT_FALSE(readable(range.segment(0)));
  EXPECT_EQ(range.resident(), 3 * granule_);
  range.commit(1, 0, 2 * granule_);
  EXPECT_EQ(faults.made(VmmFaults::kCreate), 3);
  EXPECT_TRUE(all_are(range.segment(1), 2 * granule_, std::byte{0}));
  range.trim();
  EXPECT_EQ(range.resident(), 2 * granule_);
  EXPECT_EQ(faults.made(VmmFaults::kRelease), 1);
}

TEST_F(CudaRange, TakesNothingFromUnderQueuedWork) {
  const VmmFaults faults;
  VirtualRange range = this->range(2, 4);
  for (const Decommit how : {Decommit::kKeep, Decommit::kReturn}) {
    range.commit(0, 0, 4 * granule_);
    range.commit(1, 0, granule_);
    for (int i = 0; i < 20; ++i) {
      range.zero(range.segment(0), 4 * granule_);
      range.copy(range.segment(1), range.segment(0) + 3 * granule_, granule_);
    }
    range.decommit(0, 0, 4 * granule_, how);
  }
  EXPECT_EQ(faults.unmapped_under_work(), 0);
}

TEST_F(CudaRange, AMomentPassesWhenItsWorkIsDone) {
  VirtualRange range = this->range(1, 2);
  range.commit(0, 0, 2 * granule_);
  cuda::Stream other;
  VirtualRange::Moment moment;
  {
    const cuda::StreamScope scope(other);
    fill(range.segment(0), 2 * granule_, 9);
    moment = range.now();
  }
  range.await(moment);
  EXPECT_EQ(cudaStreamQuery(other.get()), cudaSuccess);
  range.await(nullptr);
}

TEST_F(CudaRange, RefusesWhatCannotBe) {
  EXPECT_THROW(VirtualRange(0, granule_, Granule::kSmall, Device::kCuda), Error);
  EXPECT_THROW(VirtualRange(1, 0, Granule::kSmall, Device::kCuda), Error);
  VirtualRange range = this->range(2, 2);
  EXPECT_THROW(range.commit(2, 0, 1), Error);
  EXPECT_THROW(range.commit(0, 0, 2 * granule_ + 1), Error);
  EXPECT_THROW(range.commit(0, 0, granule_, Commit::kOnFirstWrite), Error);
  EXPECT_EQ(range.resident(), 0u);
}

TEST_F(CudaRange, SaysThatAddressesAreLimited) {
  EXPECT_THAT(message_of([] { VirtualRange(1, kGiB << 26, Granule::kSmall, Device::kCuda); }),
              AllOf(HasSubstr("cannot reserve"), HasSubstr("CUDA_ERROR_")));
  VmmFaults faults;
  faults.fail(VmmFaults::kReserve);
  EXPECT_THAT(message_of([&] { range(1, 1); }), HasSubstr("CUDA_ERROR_OUT_OF_MEMORY"));
}

/// Every call that a commit makes is refused once, wherever it comes in the sequence.
TEST_F(CudaRange, ARefusalAnywhereIsRolledBack) {
  VmmFaults faults;
  VirtualRange range = this->range(2, 6);
  range.commit(0, 2 * granule_, 3 * granule_);  // in the way: the commit has two stretches
  fill(range.segment(0) + 2 * granule_, granule_, 42);
  for (const VmmFaults::Call call : kCallsOfCommit) {
    for (int others = 0;; ++others) {
      SCOPED_TRACE(fmt::format("call {} after {} others", static_cast<int>(call), others));
      faults.fail(call, others);
      const std::string message = message_of([&] { range.commit(0, 0, 6 * granule_); });
      if (faults.is_pending(call)) {  // it makes no more of them: this one went well
        EXPECT_EQ(message, "");
        EXPECT_EQ(range.resident(), 6 * granule_);
        EXPECT_EQ(others, call == VmmFaults::kSetAccess ? 2 : 5);
        faults.fail(call, -1);
        range.decommit(0, 0, 2 * granule_);
        range.decommit(0, 3 * granule_, 6 * granule_);
        break;
      }
      EXPECT_THAT(message,
                  AllOf(HasSubstr("KV cache"), HasSubstr("CUDA_ERROR_OUT_OF_MEMORY"), HasSubstr("lower")));
      EXPECT_EQ(range.resident(), granule_);
      EXPECT_FALSE(readable(range.segment(0)));
      EXPECT_FALSE(readable(range.segment(0) + 3 * granule_));
      EXPECT_TRUE(all_are(range.segment(0) + 2 * granule_, granule_, std::byte{42}));
    }
  }
  constexpr int kRefusedCreates = 5, kStillHeld = 1;
  EXPECT_EQ(faults.made(VmmFaults::kCreate) - kRefusedCreates, faults.made(VmmFaults::kRelease) + kStillHeld);
}

TEST_F(CudaRange, ARefusalToUnmapChangesNothing) {
  VmmFaults faults;
  VirtualRange range = this->range(1, 2);
  range.commit(0, 0, 2 * granule_);
  fill(range.segment(0), 2 * granule_, 42);
  faults.fail(VmmFaults::kUnmap);
  EXPECT_THAT(message_of([&] { range.decommit(0, 0, 2 * granule_); }), HasSubstr("cannot decommit"));
  EXPECT_EQ(range.resident(), 2 * granule_);
  EXPECT_TRUE(all_are(range.segment(0), 2 * granule_, std::byte{42}));
  range.decommit(0, 0, 2 * granule_);
  EXPECT_EQ(range.resident(), 0u);
}

/// On a device of 64 MB: see CMakeLists.txt.
TEST_F(CudaRange, GoesOnWhenTheDeviceIsFull) {
  if (std::getenv("CUDAEMU_MEMORY") == nullptr)
    GTEST_SKIP() << "CUDAEMU_MEMORY is not set: it would fill the device";
  VirtualRange range = this->range(2, 1000);
  range.commit(0, 0, 3 * granule_);
  fill(range.segment(0), 3 * granule_, 42);
  const std::size_t before = free_bytes();
  EXPECT_THAT(message_of([&] { range.commit(1, 0, before + granule_); }),
              AllOf(HasSubstr("cannot commit"), HasSubstr("CUDA_ERROR_OUT_OF_MEMORY")));
  EXPECT_EQ(free_bytes(), before);
  EXPECT_EQ(range.resident(), 3 * granule_);
  EXPECT_TRUE(all_are(range.segment(0), 3 * granule_, std::byte{42}));
  range.commit(1, 0, before / granule_ * granule_);
  EXPECT_LT(free_bytes(), granule_);
  range.decommit(0, 0, granule_);
  EXPECT_EQ(free_bytes() / granule_, 1u);
}

}  // namespace
}  // namespace trisect::vattention
