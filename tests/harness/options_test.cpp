#include "microbench/harness/options.hpp"

#include <gtest/gtest.h>

#include "microbench/harness/filter.hpp"

namespace trisect::microbench {
namespace {

Options parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "microbench");
  return parse_options(static_cast<int>(arguments.size()), arguments.data());
}

TEST(Options, HaveDefaults) {
  const Options options = parse({});
  EXPECT_EQ(options.shapes, "phi2");
  EXPECT_EQ(options.device, "cpu");
  EXPECT_EQ(options.repetitions.count, kRepetitions);
  EXPECT_EQ(options.repetitions.milliseconds, kRepetitionMs);
  EXPECT_FALSE(options.list || options.help || options.version);
}

TEST(Options, TakeTheirValues) {
  const Options options = parse({"--shapes=smoke", "--device", "all", "--out=a b", "--threads=2",
                                 "--benchmark_list_tests", "--benchmark_repetitions=3", "--repetition-ms=5",
                                 "--turns=dir/a", "--benchmark_out=x", "--benchmark_filter=a|b"});
  EXPECT_EQ(options.shapes, "smoke");
  EXPECT_EQ(options.device, "all");
  EXPECT_EQ(options.out, "a b");
  EXPECT_EQ(options.threads, 2);
  EXPECT_TRUE(options.list);
  EXPECT_EQ(options.repetitions.count, 3);
  EXPECT_EQ(options.repetitions.milliseconds, 5);
  EXPECT_EQ(options.turns, "dir/a");
  EXPECT_EQ(options.benchmark_out, "x");
  EXPECT_EQ(options.library_flags, std::vector<std::string>{"--benchmark_filter=a|b"});
}

TEST(Options, TheLastOneCounts) {
  EXPECT_TRUE(parse({"--benchmark_list_tests=false", "--benchmark_list_tests=true"}).list);
  EXPECT_FALSE(parse({"--benchmark_list_tests", "--benchmark_list_tests=false"}).list);
}

TEST(Options, RefuseNonsense) {
  for (const char* bad :
       {"--bogus", "bogus", "--device=tpu", "--threads=0", "--threads=-1", "--threads=two",
        "--repetition-ms=0", "--shapes", "--benchmark_repetitions=0", "--benchmark_repetitions=9x",
        "--benchmark_repetitions=", "--benchmark_repetitions=99999999999", "--benchmark_list_tests=maybe",
        "--benchmark_out_format=csv"}) {
    try {
      parse({bad});
      ADD_FAILURE() << bad;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kUsage) << bad;
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    }
  }
}

TEST(Filter, UnderstandsTheLibrarysLanguage) {
  EXPECT_TRUE(Filter("").matches("anything"));
  EXPECT_TRUE(Filter("all").matches("anything"));
  EXPECT_TRUE(Filter("larosa").matches("larosa/topk"));
  EXPECT_FALSE(Filter("LaRoSA").matches("larosa/topk"));
  EXPECT_TRUE(Filter("-dense").matches("larosa/topk"));
  EXPECT_FALSE(Filter("-dense").matches("dense/gemm"));
  EXPECT_TRUE(Filter("n:(1|2)$").matches("n:2"));
  EXPECT_THROW(Filter("("), Error);
}

}  // namespace
}  // namespace trisect::microbench
