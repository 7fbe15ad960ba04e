// Results of several machines: told apart, reported apart, and side by side without anything emulated.
#include "reports/generator/machines.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reports/generator/write_report.hpp"
#include "tests/reports/files.hpp"
#include "tests/reports/samples.hpp"

namespace trisect::report {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

void move_to(Origin& origin, const std::string& host, const std::string& cpu,
             const std::string& gpu = "none") {
  origin.environment.cpu = cpu;
  origin.environment.gpu = gpu;
  origin.environment.all.emplace_back("host", host);
}

Row product(const std::string& op, const std::string& variant, double time_us, int permille) {
  std::map<std::string, int> problem = {{"in", 2560}, {"out", 17920}};
  if (op == "larosa/sparse_gemv") problem["sparsity_permille"] = permille;
  return testing::row(op, variant, problem, time_us);
}

/// Two machines; the second has a GPU that takes a hundredth of the time.
Results two_machines() {
  Results results;
  for (const char* host : {"first", "second"}) {
    std::vector<Row> rows = testing::block_rows(500, 500, 300, 300, 200);
    rows.push_back(product("dense/gemv", "cpu_bf16", 800, 0));
    rows.push_back(product("larosa/sparse_gemv", "cpu_rows", 400, 500));
    results.runs.push_back(testing::quiet_run(rows));
    move_to(results.runs.back().origin, host, "CPU of " + std::string(host),
            host == std::string("second") ? "A GPU" : "none");
    results.traces.push_back(testing::quiet_trace(host, 1e6, {{"static", 4e6, 1.05}}));
    move_to(results.traces.back().origin, host, "CPU of " + std::string(host),
            host == std::string("second") ? "A GPU" : "none");
  }
  for (auto [op, time] : {std::pair{"dense/gemv", 8.0}, {"larosa/sparse_gemv", 5.0}}) {
    Row row = product(op, "cuda_rows", time, 500);
    row.device = "cuda";
    results.runs[1].rows.push_back(row);
  }
  for (std::size_t run = 0; run < 2; ++run) {
    for (Row& row : results.runs[run].rows) row.run = run;
  }
  return results;
}

TEST(MachinesTest, InputsAreGroupedByMachine) {
  const auto machines = machines_of(two_machines());
  ASSERT_EQ(machines.size(), 2u);
  EXPECT_EQ(machines[0].name, "first: CPU of first, 2 processors");
  EXPECT_EQ(machines[1].name, "second: CPU of second, 2 processors, A GPU");
  for (const Machine& machine : machines) {
    EXPECT_EQ(machine.results.runs.size(), 1u);
    EXPECT_EQ(machine.results.traces.size(), 1u);
    for (const Row* row : machine.results.rows()) EXPECT_EQ(row->run, 0u) << "of this machine's own runs";
  }
}

TEST(MachinesTest, AlikeMachinesAreToldApartByTheirHosts) {
  Results results = two_machines();
  for (MicrobenchRun& run : results.runs)
    run.origin.environment.cpu = "CPU", run.origin.environment.gpu = "none";
  for (TraceRun& run : results.traces)
    run.origin.environment.cpu = "CPU", run.origin.environment.gpu = "none";
  EXPECT_EQ(machines_of(results).size(), 2u);
  for (MicrobenchRun& run : results.runs) run.origin.environment.all.clear();
  for (TraceRun& run : results.traces) run.origin.environment.all.clear();
  EXPECT_EQ(machines_of(results).size(), 1u);
}

TEST(MachinesTest, ThePageHasARowForEachMachineByDevice) {
  const std::string page = machines_page(machines_of(two_machines()), {"a-1.md", "a-2.md"}, "0.1.0");
  EXPECT_THAT(page, AllOf(HasSubstr("# 2 machines side by side"), HasSubstr("[a-1.md](a-1.md)")));
  const std::size_t cpus = page.find("## CPUs"), gpus = page.find("## GPUs");
  const std::string on_cpu = page.substr(cpus, gpus - cpus), on_gpu = page.substr(gpus);
  EXPECT_THAT(on_cpu, AllOf(HasSubstr("first: CPU of first"), HasSubstr("second: CPU of second"),
                            HasSubstr("2.00×"), HasSubstr("+75.0 %")));
  EXPECT_THAT(on_gpu, AllOf(Not(HasSubstr("first:")), HasSubstr("second:"), HasSubstr("1.60×")));
}

TEST(MachinesTest, NothingEmulatedIsCompared) {
  Results results = two_machines();
  for (Row& row : results.runs[1].rows) {
    if (row.device == "cpu") continue;
    row.emulated = true;
    row.time_ns.reset();  // as the reader leaves it
  }
  results.traces[0].device = "cuda";  // of a machine without a GPU
  const std::string page = machines_page(machines_of(results), {"a-1.md", "a-2.md"}, "0.1.0");
  EXPECT_THAT(page.substr(page.find("## GPUs")), HasSubstr("No machine measured one."));
  const std::size_t caches = page.find("vAttention, over the traces");
  EXPECT_EQ(page.find("first:", caches), std::string::npos);
}

TEST(MachinesTest, EachMachineGetsItsReport) {
  testing::TemporaryDirectory directory;
  write_report(two_machines(), directory.path() / "all.md", "0.1.0");
  EXPECT_THAT(testing::file_text(directory.path() / "all.md"), HasSubstr("[all-2.md](all-2.md)"));
  const std::string second = testing::file_text(directory.path() / "all-2.md");
  EXPECT_THAT(second, AllOf(HasSubstr("CPU of second"), Not(HasSubstr("CPU of first"))));
}

}  // namespace
}  // namespace trisect::report
