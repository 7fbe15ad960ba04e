// Rows of devices: what is shown beside the CPU's, and what an emulated device must not show.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "reports/generator/sections.hpp"
#include "tests/reports/files.hpp"
#include "tests/reports/samples.hpp"

namespace trisect::report {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

/// The golden run with its first row moved to a device.
MicrobenchRun run_on_a_device(bool emulated) {
  const auto directory = testing::golden_directory() / "microbench";
  auto manifest = nlohmann::json::parse(testing::file_text(directory / "manifest.json"));
  manifest["accelerator"] = {{"name", "Test GPU"},
                             {"emulated", emulated},
                             {"sms", 4},
                             {"cache_bytes", 1000},
                             {"bandwidth_gbps", 1000.0}};
  for (auto& row : manifest["rows"]) {
    if (row["status"] != "pass") continue;
    row["device"] = "cuda";
    row["launches"] = 3;
  }
  const auto target = std::filesystem::temp_directory_path() / fmt::format("trisect-gpu-test-{}", emulated);
  std::filesystem::create_directories(target);
  testing::write_text(target / "manifest.json", manifest.dump());
  std::filesystem::copy_file(directory / "benchmark.json", target / "benchmark.json",
                             std::filesystem::copy_options::overwrite_existing);
  MicrobenchRun run = read_run(target, target);
  std::filesystem::remove_all(target);
  return run;
}

TEST(Gpu, AnEmulatedDeviceHasNoTimes) {
  for (const Row& row : run_on_a_device(true).rows) {
    EXPECT_FALSE(row.time_ns.has_value()) << row.name;
    EXPECT_FALSE(row.gbps().has_value()) << row.name;
    if (row.status != "pass") continue;
    EXPECT_THAT(check_text(row), HasSubstr("emulated"));
  }
}

TEST(Gpu, ARealDeviceHasThemButNotTheCpusBandwidth) {
  int timed = 0;
  for (const Row& row : run_on_a_device(false).rows) {
    if (row.status != "pass") continue;
    timed += row.time_ns.has_value();
    EXPECT_EQ(row.launches, 3);
    EXPECT_FALSE(row.probe_share().has_value()) << row.name << ": no copy was measured on it";
    EXPECT_THAT(check_text(row), Not(HasSubstr("emulated")));
  }
  EXPECT_GT(timed, 0);
}

TEST(Gpu, StandsBesideTheCpuWithBoundsInColumnsOfTheirOwn) {
  Row cpu = testing::row("larosa/rotate", "onednn", {{"rows", 1}, {"n", 2560}}, 700);
  Row gpu = testing::row("larosa/rotate", "cuda_rows", {{"rows", 1}, {"n", 2560}}, 7);
  cpu.bytes = gpu.bytes = 13.1e6;
  gpu.device = "cuda";
  gpu.launches = 1;
  const std::string both = gpu_section(testing::results_of({cpu, gpu}));
  EXPECT_THAT(both, HasSubstr("onednn 700"));
  EXPECT_THAT(both, HasSubstr("cuda_rows 7.00"));
  EXPECT_THAT(both, HasSubstr("bound, H100 SXM µs"));
  EXPECT_THAT(both, HasSubstr(" 3.91 |"));  // 13.1 MB at 3350 GB/s

  gpu.emulated = true;
  gpu.time_ns.reset();
  const std::string emulated = gpu_section(testing::results_of({cpu, gpu}));
  EXPECT_THAT(emulated, HasSubstr("cuda_rows (emulated)"));
  EXPECT_THAT(emulated, Not(HasSubstr("cuda_rows 7")));
  EXPECT_THAT(gpu_section(testing::results_of({cpu})), HasSubstr("No GPU was measured"));
  EXPECT_EQ(gpu_section(testing::results_of({})), "");
}

TEST(Gpu, OnlyWhatWasTimedCountsAsMeasured) {
  Results results = testing::results_of({testing::row("larosa/rotate", "cuda_rows", {{"n", 2560}}, 7)});
  results.runs[0].rows[0].device = "cuda";
  results.runs[0].origin.environment.gpu = "Test GPU";
  EXPECT_EQ(gpu_line(results), "");
  results.runs[0].rows[0].time_ns.reset();
  EXPECT_THAT(gpu_line(results), HasSubstr("not used"));
  EXPECT_THAT(not_measured_section(results), HasSubstr("Any GPU."));
}

}  // namespace
}  // namespace trisect::report
