// The kernel refuses memory while sequences run, as it does under vm.overcommit_memory=2: making reserved
// pages writable fails with ENOMEM. RLIMIT_DATA makes the same call fail the same way, for this process only
// and without privileges; the machine's own setting is none of a test's business.
#include <gmock/gmock.h>
#include <sys/resource.h>

#include <fstream>

#include "tests/kernels/vattention/kv_cache_fixture.hpp"

namespace trisect::vattention {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::size_t kMiB = std::size_t{1} << 20;

/// Private writable memory of this process, which the limit counts.
std::size_t data_bytes() {
  std::ifstream status("/proc/self/status");
  std::size_t kb = 0;
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmData:")) kb = std::stoul(line.substr(7));
  }
  return kb * 1024;
}

/// As long as it lives, so many bytes more can be had and no others.
class OnlyMore {
 public:
  explicit OnlyMore(std::size_t bytes) {
    getrlimit(RLIMIT_DATA, &before_);
    const rlimit now{data_bytes() + bytes, before_.rlim_max};
    EXPECT_EQ(setrlimit(RLIMIT_DATA, &now), 0);
  }
  ~OnlyMore() { setrlimit(RLIMIT_DATA, &before_); }
  OnlyMore(const OnlyMore&) = delete;
  OnlyMore& operator=(const OnlyMore&) = delete;

 private:
  rlimit before_{};
};

template <class Action>
void expect_refusal(const Action& action) {
  try {
    action();
    ADD_FAILURE() << "nothing was refused";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kEnvironment);
    EXPECT_THAT(error.what(), AllOf(HasSubstr("KV cache writable"), HasSubstr("Cannot allocate memory"),
                                    HasSubstr("vm.overcommit_memory"), Not(HasSubstr("\n"))));
  }
}

class Refusal : public ::testing::TestWithParam<KvPolicy> {};
INSTANTIATE_TEST_SUITE_P(All, Refusal,
                         ::testing::Values(KvPolicy::kGrowing, KvPolicy::kPaged, KvPolicy::kVattention),
                         [](const auto& param) { return std::string(name_of(param.param)); });

TEST_P(Refusal, LeavesWhatSequencesHaveAndTheCacheGoesOn) {
#ifdef __SANITIZE_THREAD__
  if (GetParam() == KvPolicy::kPaged)
    GTEST_SKIP() << "block by block it takes all there is, and ThreadSanitizer cannot do without";
#endif
  KvOptions options = interleaved(Granule::kSmall);
  options.tokens = 65536;  // 128 MiB of keys a slot
  const auto cache = make_kv_cache(GetParam(), options);
  const int a = cache->acquire(65536), b = cache->acquire(65536);
  const auto expect_first_holds = [&](int tokens) {
    for (int token = 0; token < tokens; ++token) ASSERT_TRUE(holds(*cache, options.shape, a, token, 1));
  };
  const auto write_first = [&](int from, int to) {
    extend(*cache, a, to);
    for (int token = from; token < to; ++token) write(*cache, options.shape, a, token, 1);
  };
  write_first(0, 100);
  cache->settle();
  {
    const OnlyMore limit(16 * kMiB);
    expect_refusal([&] { extend(*cache, b, 65536); });
    EXPECT_EQ(cache->length(b), 0);
    EXPECT_EQ(cache->length(a), 100);
    expect_kernel_agrees(*cache);
    expect_first_holds(100);
    write_first(100, 300);  // what is left is enough for it, and for a shorter second one
    extend(*cache, b, 500);
    expect_refusal([&] { extend(*cache, b, 65536); });
    EXPECT_EQ(cache->length(b), 500);
    expect_kernel_agrees(*cache);
    expect_first_holds(300);
  }
  extend(*cache, b, 20000);
  expect_first_holds(300);
  for (const int token : {0, 499, 500, 19999})
    EXPECT_TRUE(holds(*cache, options.shape, b, token, std::nullopt));
  cache->release(a);
  cache->release(b);
  expect_kernel_agrees(*cache);
}

TEST(RefusalAtStart, OfAWholeCacheGivesBackWhatItHadGot) {
  KvOptions options = interleaved(Granule::kSmall);
  options.tokens = 16384;  // 32 MiB of keys a slot
  const std::size_t before = data_bytes();
  {
    const OnlyMore limit(150 * kMiB);  // two slots and a half
    expect_refusal([&] { make_kv_cache(KvPolicy::kStatic, options); });
    expect_refusal([&] { make_kv_cache(KvPolicy::kTracked, options); });
  }
  EXPECT_LT(data_bytes(), before + kMiB);
}

}  // namespace
}  // namespace trisect::vattention
