#include "kernels/vattention/virtual_range.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "kernels/core/error.hpp"
#include "kernels/core/random.hpp"

namespace trisect::vattention {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20, kGiB = std::size_t{1} << 30;

/// Without a fault: the kernel refuses to read from where this process may not.
bool readable(const std::byte* at) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  const bool yes = write(ends[1], at, 1) == 1;
  close(ends[0]);
  close(ends[1]);
  return yes;
}

bool all_zero(const std::byte* first, std::size_t bytes) {
  return std::all_of(first, first + bytes, [](std::byte b) { return b == std::byte{0}; });
}

int mappings(const VirtualRange& range) {
  std::ifstream maps("/proc/self/maps");
  const auto low = reinterpret_cast<std::size_t>(range.segment(0)), high = low + range.reserved();
  int count = 0;
  for (std::string line; std::getline(maps, line);) {
    std::size_t from = 0, to = 0;
    if (std::sscanf(line.c_str(), "%zx-%zx ", &from, &to) == 2) count += from < high && to > low;
  }
  return count;
}

/// A soft limit of this process for the life of the object.
class Limit {
 public:
  Limit(int resource, rlim_t value) : resource_(resource) {
    getrlimit(which(), &before_);
    const rlimit now{value, before_.rlim_max};
    EXPECT_EQ(setrlimit(which(), &now), 0);
  }
  ~Limit() { setrlimit(which(), &before_); }

 private:
  __rlimit_resource which() const { return static_cast<__rlimit_resource>(resource_); }
  int resource_;
  rlimit before_{};
};

std::size_t status_bytes(const std::string& field) {
  std::ifstream status("/proc/self/status");
  std::size_t kb = 0;
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(field + ":")) kb = std::stoul(line.substr(field.size() + 1));
  }
  return kb * 1024;
}

class Granules : public ::testing::TestWithParam<Granule> {
 protected:
  void SetUp() override {
    if (GetParam() == Granule::kHuge && !has_huge_pages()) GTEST_SKIP() << has_huge_pages().why_not;
  }
  std::size_t granule() const { return bytes_of(GetParam()); }
};
INSTANTIATE_TEST_SUITE_P(All, Granules, ::testing::Values(Granule::kSmall, Granule::kHuge),
                         [](const auto& param) { return std::string(name_of(param.param)); });

TEST_P(Granules, SixtyFourGigabytesCostNothing) {
  const std::size_t before = status_bytes("VmRSS");
  const VirtualRange range(64, kGiB, GetParam());
  EXPECT_EQ(range.reserved(), 64 * kGiB);
  EXPECT_EQ(range.resident(), 0u);
  EXPECT_LT(status_bytes("VmRSS"), before + kMiB);
}

TEST_P(Granules, CommittedIsWhatTheKernelHolds) {
  for (const Commit how : {Commit::kPopulate, Commit::kTouch}) {
    VirtualRange range(3, 16 * kMiB, GetParam());
    range.commit(1, 0, 5 * granule(), how);
    EXPECT_EQ(range.resident(), 5 * granule());
    EXPECT_TRUE(all_zero(range.segment(1), 5 * granule()));
    range.commit(0, 0, 1, how);
    EXPECT_EQ(range.resident(), 6 * granule());
    range.segment(1)[7] = std::byte{42};
    range.commit(1, 0, 5 * granule(), how);  // what is there stays
    EXPECT_EQ(range.segment(1)[7], std::byte{42});
  }
}

TEST_P(Granules, DecommittedReturnsWholeGranulesAndReadsAsZero) {
  VirtualRange range(1, 8 * kMiB, GetParam());
  range.commit(0, 0, 4 * granule());
  std::fill_n(range.segment(0), 4 * granule(), std::byte{1});
  range.decommit(0, granule() + 1, 4 * granule());  // not the granule that is cut
  EXPECT_EQ(range.resident(), 2 * granule());
  EXPECT_EQ(range.segment(0)[2 * granule() - 1], std::byte{1});
  range.decommit(0, granule(), 2 * granule() - 1);
  EXPECT_EQ(range.resident(), 2 * granule());
  range.commit(0, 2 * granule(), 3 * granule());
  EXPECT_EQ(range.resident(), 3 * granule());
  EXPECT_TRUE(all_zero(range.segment(0) + 2 * granule(), granule()));
  range.decommit(0, 0, range.stride());
  EXPECT_EQ(range.resident(), 0u);
}

TEST_P(Granules, NothingIsReadableBeforeItIsCommitted) {
  VirtualRange range(2, 8 * kMiB, GetParam());
  EXPECT_FALSE(readable(range.segment(0)));
  range.commit(0, 0, 1);
  EXPECT_TRUE(readable(range.segment(0) + granule() - 1));
  EXPECT_FALSE(readable(range.segment(0) + granule()));
  EXPECT_FALSE(readable(range.segment(1)));
  EXPECT_FALSE(readable(range.segment(0) + range.reserved())) << "the guard behind the last segment";
}

TEST_P(Granules, MappingsStayFewWhateverHappens) {
  constexpr int kSegments = 16;
  VirtualRange range(kSegments, 16 * kMiB, GetParam());
  std::vector<std::size_t> top(kSegments, 0);
  const std::size_t granules = std::min<std::size_t>(range.stride() / granule(), 64);
  for (std::uint64_t i = 0; i < 500; ++i) {
    const auto segment = static_cast<int>(random_bits(1, i) % kSegments);
    std::size_t first = random_bits(2, i) % granules, last = random_bits(3, i) % granules;
    if (first > last) std::swap(first, last);
    if (random_bits(4, i) % 2 == 0) {
      range.commit(segment, first * granule(), last * granule(), Commit::kOnFirstWrite);
    } else {
      range.decommit(segment, first * granule(), last * granule());
    }
  }
  EXPECT_LE(mappings(range), 2 * kSegments + 1);
}

TEST(VirtualRange, LeavesTheFirstWriteToTheOwnerOnRequest) {
  VirtualRange range(1, kMiB, Granule::kSmall);
  range.commit(0, 0, kMiB, Commit::kOnFirstWrite);
  EXPECT_EQ(range.resident(), 0u);
  EXPECT_TRUE(all_zero(range.segment(0), kMiB));
  EXPECT_EQ(range.resident(), 0u)
      << "reading maps the shared page of zeros, which is no memory of this range";
  range.segment(0)[5 * range.granule()] = std::byte{1};
  EXPECT_EQ(range.resident(), range.granule());
}

TEST(VirtualRange, RefusesWhatCannotBe) {
  EXPECT_THROW(VirtualRange(0, kMiB, Granule::kSmall), Error);
  EXPECT_THROW(VirtualRange(1, 0, Granule::kSmall), Error);
  EXPECT_THROW(VirtualRange(1 << 30, kGiB * kGiB / 2, Granule::kSmall), Error);
  VirtualRange range(2, kMiB, Granule::kSmall);
  EXPECT_THROW(range.commit(2, 0, 1), Error);
  EXPECT_THROW(range.commit(-1, 0, 1), Error);
  EXPECT_THROW(range.commit(0, 0, kMiB + 1), Error);
  EXPECT_THROW(range.commit(0, 2, 1), Error);
  EXPECT_THROW(range.decommit(0, 0, kMiB + 1), Error);
  EXPECT_EQ(range.resident(), 0u);
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

TEST(VirtualRange, SaysThatAddressesAreLimited) {
  const Limit limit(RLIMIT_AS, status_bytes("VmSize") + kGiB);
  EXPECT_THAT(message_of([] { VirtualRange(64, kGiB, Granule::kSmall); }),
              ::testing::AllOf(::testing::HasSubstr("cannot reserve"), ::testing::HasSubstr("ulimit -v")));
}

TEST(VirtualRange, SaysThatMemoryIsLimitedAndGoesOn) {
  VirtualRange range(2, 256 * kMiB, Granule::kSmall);
  range.commit(0, 0, kMiB);
  {
    const Limit limit(RLIMIT_DATA, status_bytes("VmData") + 16 * kMiB);
    EXPECT_THAT(message_of([&] { range.commit(1, 0, 256 * kMiB); }),
                ::testing::AllOf(::testing::HasSubstr("writable"), ::testing::HasSubstr("ulimit -d")));
    EXPECT_EQ(range.resident(), kMiB);
    EXPECT_FALSE(readable(range.segment(1)));
    range.commit(1, 0, kMiB);  // less is possible
  }
  range.commit(1, kMiB, 2 * kMiB);
  EXPECT_EQ(range.resident(), 3 * kMiB);
}

TEST(VirtualRange, StaysWithItsProcess) {
  constexpr int kCommitted = 1, kReadable = 2;
#ifdef __SANITIZE_THREAD__
  constexpr int kTolerated = kReadable;  // its runtime maps memory of its own in a child, there too
#else
  constexpr int kTolerated = 0;
#endif
  VirtualRange range(1, kMiB, Granule::kSmall);
  range.commit(0, 0, kMiB);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    int code = readable(range.segment(0)) ? kReadable : 0;
    try {
      range.commit(0, 0, 1);
      code |= kCommitted;
    } catch (const Error&) {
    }
    _exit(code);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && (WEXITSTATUS(status) & ~kTolerated) == 0) << status;
  EXPECT_EQ(range.resident(), kMiB);
}

}  // namespace
}  // namespace trisect::vattention
