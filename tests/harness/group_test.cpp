// What a benchmark must notice before and after it times: wrong results, damaged memory, kernels that do not
// compute.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "microbench/harness/op_group.hpp"
#include "microbench/harness/reporter.hpp"
#include "tests/harness/toy.hpp"

namespace trisect::microbench {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using trisect::testing::Toy;

/// A group with only these variants, in the table's order.
std::unique_ptr<Group> group_of(const Toy::Problem& problem, const std::vector<std::string_view>& variants,
                                int repetitions = 3) {
  auto group = std::make_unique<OpGroup<Toy>>(problem, Repetitions{repetitions});
  std::erase_if(group->rows(), [&](const auto& row) {
    return std::find(variants.begin(), variants.end(), row->variant) == variants.end();
  });
  return group;
}

const Row& row_of(Group& group, std::string_view variant) {
  for (const auto& row : group.rows()) {
    if (row->variant == variant) return *row;
  }
  throw std::out_of_range(std::string(variant));
}

void prepare(Group& group) {
  Session session;
  group.prepare(session);
}

class Silent : public benchmark::BenchmarkReporter {
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>&) override {}
};

/// Runs a group as run() does and returns Google Benchmark's JSON.
nlohmann::json time(Group& group) {
  Silent display;
  Reporter reporter(&display, 0);
  Session session;
  group.prepare(session);
  group.register_benchmarks(session);
  reporter.expect(group);
  benchmark::RunSpecifiedBenchmarks(&reporter, ".");
  benchmark::ClearRegisteredBenchmarks();
  group.release();
  return nlohmann::json::parse(reporter.json());
}

int count_samples(const nlohmann::json& json, const std::string& benchmark) {
  int count = 0;
  for (const auto& run : json["benchmarks"]) {
    count +=
        run["run_name"] == benchmark && run["run_type"] == "iteration" && !run.contains("error_occurred");
  }
  return count;
}

TEST(Group, PassesAGoodVariant) {
  const auto group = group_of({33, 0}, {"ref", "good"});
  prepare(*group);
  const Row& row = row_of(*group, "good");
  EXPECT_EQ(row.status, Status::kPass) << row.reason;
  ASSERT_TRUE(row.check.has_value());
  EXPECT_EQ(row.check->tolerance, 1e-6);
  EXPECT_EQ(row.copies, 3u);
  EXPECT_EQ(row.weights, "hot");  // 33 floats cannot be made to exceed any cache
  EXPECT_EQ(row_of(*group, "ref").status, Status::kPass);
}

TEST(Group, MakesColdWhatCanBeCold) {
  const auto group = group_of({1 << 22, 0}, {"good"});
  prepare(*group);
  const Row& row = row_of(*group, "good");
  EXPECT_EQ(row.weights, "cold");
  EXPECT_GT(row.copies * (std::size_t{4} << 22), 3 * last_level_cache_bytes());
}

class CaughtBefore : public ::testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(CaughtBefore, FailsAndTheOthersPass) {
  const auto [variant, why] = GetParam();
  const auto group = group_of({33, 0}, {"ref", variant, "good"});
  prepare(*group);
  const Row& row = row_of(*group, variant);
  EXPECT_EQ(row.status, Status::kFail);
  EXPECT_THAT(row.reason, AllOf(HasSubstr("check failed"), HasSubstr(why)));
  EXPECT_EQ(row_of(*group, "good").status, Status::kPass) << row_of(*group, "good").reason;
}

INSTANTIATE_TEST_SUITE_P(
    , CaughtBefore,
    ::testing::Values(std::pair{"wrong", "relative error"}, std::pair{"zeros", "relative error"},
                      std::pair{"skips", "nan, should be"}, std::pair{"nan", "[0,16] is nan"},
                      std::pair{"alters_input", "changed input 0"},
                      std::pair{"breaks_guard", "wrote outside output 0"}, std::pair{"caches", "copy 1"}),
    [](const auto& test) { return std::string(test.param.first); });

TEST(Group, AThrowingVariantIsAnError) {
  const auto group = group_of({33, 0}, {"throws", "good"});
  prepare(*group);
  EXPECT_EQ(row_of(*group, "throws").status, Status::kError);
  EXPECT_EQ(row_of(*group, "throws").reason, "no luck today");
  EXPECT_EQ(row_of(*group, "good").status, Status::kPass);
}

TEST(Group, AnUnavailableVariantIsSkippedWithItsReason) {
  const auto group = group_of({33, 0}, {"unavailable", "good"});
  const nlohmann::json json = time(*group);
  const Row& row = row_of(*group, "unavailable");
  EXPECT_EQ(row.status, Status::kSkipped);
  EXPECT_EQ(row.reason, "the machine has no flux capacitor");
  EXPECT_FALSE(row.check.has_value());
  EXPECT_EQ(json.dump().find("unavailable"), std::string::npos);
}

TEST(Group, PreparesEachCopy) {
  const auto group = group_of({33, 0}, {"prepared"});
  prepare(*group);
  EXPECT_EQ(row_of(*group, "prepared").status, Status::kPass) << row_of(*group, "prepared").reason;
}

TEST(Group, TimesAMistrustedVariantAndSaysSo) {
  const auto group = group_of({100, 950}, {"good"});
  const nlohmann::json json = time(*group);
  const Row& row = row_of(*group, "good");
  EXPECT_EQ(row.status, Status::kMistrusted);
  EXPECT_EQ(count_samples(json, row.benchmark), 3);
  EXPECT_THAT(json["benchmarks"][0]["label"], HasSubstr("mistrusted: 95 of 100"));
}

TEST(Group, AWrongVariantGetsNoNumber) {
  const auto group = group_of({33, 0}, {"wrong", "good"});
  const nlohmann::json json = time(*group);
  EXPECT_EQ(count_samples(json, row_of(*group, "wrong").benchmark), 0);
  EXPECT_EQ(count_samples(json, row_of(*group, "good").benchmark), 3);
  EXPECT_EQ(json["benchmarks"][0]["error_occurred"], true);
}

TEST(Group, CatchesAVariantThatStopsComputing) {
  const auto group = group_of({33, 0}, {"lazy", "good"});
  const nlohmann::json json = time(*group);
  EXPECT_EQ(row_of(*group, "lazy").status, Status::kFail);
  EXPECT_EQ(count_samples(json, row_of(*group, "lazy").benchmark), 0);
  EXPECT_EQ(row_of(*group, "good").status, Status::kPass);
}

TEST(Group, TakesBackTheNumbersOfAVariantThatFailsLater) {
  const auto group = group_of({33, 0}, {"tires", "good"}, 5);
  const nlohmann::json json = time(*group);
  EXPECT_EQ(row_of(*group, "tires").status, Status::kFail);
  EXPECT_EQ(row_of(*group, "tires").samples.size(), 2u);
  EXPECT_EQ(count_samples(json, row_of(*group, "tires").benchmark), 0);
  EXPECT_EQ(count_samples(json, row_of(*group, "good").benchmark), 5);
}

TEST(Group, CatchesDamageDoneWhileTiming) {
  const auto group = group_of({33, 0}, {"late_guard", "good"});
  const nlohmann::json json = time(*group);
  EXPECT_EQ(row_of(*group, "late_guard").status, Status::kFail);
  EXPECT_THAT(row_of(*group, "late_guard").reason, HasSubstr("wrote outside output 0"));
  EXPECT_EQ(count_samples(json, row_of(*group, "late_guard").benchmark), 0);
  // What shared its memory is either already done, without interleaving, or not measured.
  EXPECT_EQ(row_of(*group, "good").status, Status::kError);
  EXPECT_THAT(row_of(*group, "good").reason, HasSubstr("late_guard"));
}

TEST(Group, CountsBytesAndOperations) {
  const auto group = group_of({1000, 0}, {"good"});
  const nlohmann::json json = time(*group);
  const auto& run = json["benchmarks"][0];
  const double seconds = run["real_time"].get<double>() * (run["time_unit"] == "ns" ? 1e-9 : 1e-6);
  EXPECT_NEAR(run["bytes_per_second"].get<double>() * seconds, 12000, 1);
  EXPECT_NEAR(run["flops"].get<double>() * seconds, 1000, 1);
  EXPECT_EQ(run["iterations"], 500);
}

TEST(Group, NamesAreThoseOfTheLibrary) {
  const auto group = group_of({33, 400}, {"ref", "good"});
  const nlohmann::json json = time(*group);  // the reporter throws on a name it does not expect
  EXPECT_EQ(row_of(*group, "good").benchmark,
            "toy/product/good/f32/n:33/sparsity_permille:400/iterations:500/repeats:3/manual_time");
  EXPECT_EQ(group->name(), "toy/product/f32/n:33/sparsity_permille:400");
}

}  // namespace
}  // namespace trisect::microbench
