// What vattention adds: little more memory than is used, none that is not returned, and no faults.
#include <omp.h>
#include <sched.h>
#include <sys/resource.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "tests/kernels/vattention/kv_cache_fixture.hpp"

namespace trisect::vattention {
namespace {

class Vattention : public Granules {};
INSTANTIATE_TEST_SUITE_P(All, Vattention, ::testing::Values(Granule::kSmall, Granule::kHuge),
                         [](const auto& param) { return std::string(name_of(param.param)); });

TEST_P(Vattention, CommitsAtMostTwoGranulesMoreThanIsUsedAndTheWindow) {
  KvOptions options = interleaved(GetParam());
  const auto cache = make_kv_cache(KvPolicy::kVattention, options);
  const std::size_t window = 2 * options.shape.token_bytes() * static_cast<std::size_t>(options.ahead_tokens);
  const int slot = cache->acquire(4096);
  for (int tokens : {1, 2, 100, 511, 512, 513, 2000, 4096}) {
    extend(*cache, slot, tokens);
    cache->settle();
    const KvUsage usage = cache->usage();
    EXPECT_LT(usage.committed - usage.used, window + 2 * granule()) << tokens;
    EXPECT_EQ(usage.committed, cache->resident()) << tokens;
    EXPECT_EQ(usage.parked, 0u);
  }
}

TEST_P(Vattention, ReturnsToTheParkedBudget) {
  for (const std::size_t budget :
       {std::size_t{0}, 3 * 2 * granule(), std::numeric_limits<std::size_t>::max()}) {
    for (const bool background : {false, true}) {
      KvOptions options = interleaved(GetParam());
      options.parked_budget = budget;
      options.background = background;
      const auto cache = make_kv_cache(KvPolicy::kVattention, options);
      for (int i = 0; i < 6; ++i) extend(*cache, cache->acquire(4096), 600 * (i + 1) - 100);
      cache->settle();
      const std::size_t before = cache->usage().committed;
      EXPECT_EQ(before, cache->resident());
      for (int slot = 0; slot < 6; ++slot) cache->release(slot);
      cache->settle();
      const KvUsage usage = cache->usage();
      EXPECT_EQ(usage.committed, std::min(before, budget / (2 * granule()) * (2 * granule())));
      EXPECT_EQ(usage.parked, usage.committed);
      EXPECT_EQ(usage.used, 0u);
      EXPECT_EQ(usage.committed, cache->resident());
    }
  }
}

TEST(VattentionReuse, TakesTheParkedSlotThatFits) {
  KvOptions options = interleaved(Granule::kSmall);
  options.ahead_tokens = 0;
  const auto cache = make_kv_cache(KvPolicy::kVattention, options);
  std::vector<int> slots;
  for (const int tokens : {1000, 200, 600}) {
    slots.push_back(cache->acquire(4096));
    extend(*cache, slots.back(), tokens);
  }
  for (const int slot : slots) cache->release(slot);
  EXPECT_EQ(cache->acquire(500), slots[2]) << "the least that is enough";
  EXPECT_EQ(cache->acquire(3000), slots[0]) << "else the most there is";
  EXPECT_EQ(cache->acquire(100), slots[1]);
  const std::uint64_t before = cache->work().commits + cache->work().background_commits;
  extend(*cache, slots[2], 500);
  extend(*cache, slots[1], 100);
  EXPECT_EQ(cache->work().commits + cache->work().background_commits, before)
      << "parked memory costs no commit";
}

TEST(VattentionReuse, CallsMemoryBeyondTheSequenceParked) {
  KvOptions options = interleaved(Granule::kSmall);
  options.ahead_tokens = 0;
  const auto cache = make_kv_cache(KvPolicy::kVattention, options);
  int slot = cache->acquire(4096);
  extend(*cache, slot, 4096);
  const std::size_t all = cache->usage().committed;
  cache->release(slot);
  slot = cache->acquire(4096);
  extend(*cache, slot, 16);
  const KvUsage usage = cache->usage();
  EXPECT_EQ(usage.committed, all);
  EXPECT_EQ(usage.parked, all - 2 * options.shape.token_bytes() * 16);
  EXPECT_EQ(usage.fragmentation(), 0u);
}

/// Page faults of this thread.
long faults() {
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  return usage.ru_minflt + usage.ru_majflt;
}

TEST_P(Vattention, TakesNoFaultAndNoCommitInSteadyState) {
  KvOptions options = interleaved(GetParam());
  const auto cache = make_kv_cache(KvPolicy::kVattention, options);
  const int slot = cache->acquire(4096);
  const auto step = [&](int tokens) {
    extend(*cache, slot, tokens);
    write(*cache, options.shape, slot, tokens - 1, 1);
    cache->settle();  // stands for the time that a step computes
  };
  for (int tokens = 1; tokens <= 20; ++tokens) step(tokens);
  const std::uint64_t commits = cache->work().commits, background = cache->work().background_commits;
  [[maybe_unused]] const long before = faults();
  for (int tokens = 21; tokens <= 3000; ++tokens) step(tokens);
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)  // whose own memory faults
  EXPECT_EQ(faults(), before);
#endif
  EXPECT_EQ(cache->work().commits, commits);
  EXPECT_GT(cache->work().background_commits, background);
}

std::set<pid_t> threads() {
  std::set<pid_t> ids;
  for (const auto& one : std::filesystem::directory_iterator("/proc/self/task"))
    ids.insert(std::stoi(one.path().filename()));
  return ids;
}

cpu_set_t processors_of(pid_t thread) {
  cpu_set_t set;
  CPU_ZERO(&set);
  EXPECT_EQ(sched_getaffinity(thread, sizeof set, &set), 0);
  return set;
}

const cpu_set_t kAtStart = processors_of(0);  // of this process, whose team the tests bind

TEST(VattentionWorker, MayRunBesideATeamThatLeavesRoom) {
  const cpu_set_t bound = processors_of(0);
  cpu_set_t one;
  CPU_ZERO(&one);
  std::size_t first = 0;
  while (!CPU_ISSET(first, &bound)) ++first;
  CPU_SET(first, &one);
  std::ifstream shares(fmt::format("/sys/devices/system/cpu/cpu{}/cache/index3/shared_cpu_list", first));
  std::string list;
  if (CPU_COUNT(&kAtStart) < 2 || !(shares >> list) || list == std::to_string(first))
    GTEST_SKIP() << "there is no processor beside " << first << " that shares its cache";
  const int team = omp_get_max_threads();
  omp_set_num_threads(1);
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  const std::set<pid_t> before = threads();
  {
    const auto cache = make_kv_cache(KvPolicy::kVattention, interleaved(Granule::kSmall));
    int workers = 0;
    for (const pid_t id : threads()) {
      if (before.count(id) == 1) continue;
      ++workers;
      const cpu_set_t its = processors_of(id);
      EXPECT_GT(CPU_COUNT(&its), 1);
    }
    EXPECT_EQ(workers, 1);
  }
  sched_setaffinity(0, sizeof bound, &bound);
  omp_set_num_threads(team);
}

/// Private writable memory of this process, which RLIMIT_DATA limits.
std::size_t data_bytes() {
  std::ifstream status("/proc/self/status");
  std::size_t kb = 0;
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmData:")) kb = std::stoul(line.substr(7));
  }
  return kb * 1024;
}

TEST(VattentionFailure, CommitsThatTheKernelRefusesAreRolledBack) {
  KvOptions options = interleaved(Granule::kSmall);
  options.tokens = 65536;  // 128 MiB of keys a slot
  const auto cache = make_kv_cache(KvPolicy::kVattention, options);
  const int a = cache->acquire(65536), b = cache->acquire(65536);
  extend(*cache, a, 100);
  cache->settle();
  {
    rlimit before{};
    getrlimit(RLIMIT_DATA, &before);
    const rlimit now{data_bytes() + (200u << 20), before.rlim_max};  // the keys fit, the values do not
    setrlimit(RLIMIT_DATA, &now);
    EXPECT_THROW(extend(*cache, b, 65536), Error);
    setrlimit(RLIMIT_DATA, &before);
  }
  EXPECT_EQ(cache->length(b), 0);
  expect_kernel_agrees(*cache);
  extend(*cache, a, 200);
  extend(*cache, b, 300);
  expect_kernel_agrees(*cache);
}

}  // namespace
}  // namespace trisect::vattention
